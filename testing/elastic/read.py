"""Reads records back with the official Python client of Elasticsearch: an independent witness.

    read.py URL API_KEY            everything below `muster-basic-*` and `muster-detail-*`, as one JSON document
    read.py URL API_KEY --check    the emulator itself is strict: the client's own helpers against it
"""

import json
import sys
import urllib.error
import urllib.request

from elasticsearch import Elasticsearch, helpers


def everything(client):
    found = {}
    for kind in ("basic", "detail"):
        index = f"muster-{kind}-*"
        client.indices.refresh(index=index)
        answer = client.search(index=index, size=10_000, sort=[{"timestamp": "asc"}])
        hits = answer["hits"]["hits"]
        assert answer["hits"]["total"]["value"] == len(hits) == client.count(index=index)["count"]
        found[kind] = [{"_index": hit["_index"], "_id": hit["_id"], **hit["_source"]} for hit in hits]
    found["templates"] = {one["name"]: one["index_template"]
                          for one in client.indices.get_index_template(name="muster-*")["index_templates"]}
    correlations = {one["correlation"] for one in found["basic"]}
    found["by_correlation"] = {
        correlation: client.count(index="muster-basic-*,muster-detail-*",
                                  query={"term": {"correlation": correlation}})["count"]
        for correlation in correlations}
    return found


def check(client, url, key):
    index = "muster-check-2026-01-01"
    client.indices.put_index_template(name="muster-check", index_patterns=["muster-check-*"], priority=200, template={
        "mappings": {"dynamic": False, "properties": {"status": {"type": "boolean"}, "at": {"type": "date"}}}})
    operations = [{"_op_type": "create", "_index": index, "_id": str(n), "status": True} for n in range(3)]
    assert helpers.bulk(client, operations) == (3, [])
    ok, failed = helpers.bulk(client, operations, raise_on_error=False)
    assert (ok, [one["create"]["status"] for one in failed]) == (0, [409] * 3), failed
    ok, failed = helpers.bulk(client, [{"_index": index, "_id": "x", "status": "perhaps"},
                                       {"_index": index, "_id": "y", "at": "yesterday"},
                                       {"_index": index, "_id": "z", "at": "2026-01-01T00:00:00.123Z"},
                                       {"_index": "Upper", "_id": "u"}], raise_on_error=False)
    assert ok == 1 and [one["index"]["status"] for one in failed] == [400] * 3, failed
    # The client mends the frame by itself, so what is framed wrongly goes past it.
    for body, kind, status in (
            (b'{"create":{"_index":"a"}}\n{}', "application/x-ndjson", 400),
            (b'{"put":{"_index":"a"}}\n{}\n', "application/x-ndjson", 400),
            (b"nonsense\n", "application/x-ndjson", 400),
            (b'{"index":{"_idx":1}}\n{}\n', "application/x-ndjson", 400),
            (b'{"index":{"_index":"a"}}\n{}\n', "text/plain", 406)):
        request = urllib.request.Request(f"{url}/_bulk", data=body, method="POST", headers={
            "content-type": kind, "authorization": f"ApiKey {key}"})
        try:
            urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            assert error.code == status, (body, error.code)
            continue
        raise AssertionError(f"{body} was taken")
    client.indices.refresh(index=index)
    return {"count": client.count(index=index)["count"]}


def main():
    url, key, *rest = sys.argv[1:]
    client = Elasticsearch(url, api_key=key, request_timeout=10, max_retries=0)
    print(json.dumps(check(client, url, key) if rest == ["--check"] else everything(client)))


if __name__ == "__main__":
    main()
