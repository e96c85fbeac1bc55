"""The part of Elasticsearch that records are sent to, and that its official client reads back: strict where the real
one is, so that a mistake of ours cannot agree with itself.

Written from the public REST reference: framing and media types of `_bulk`, operations and their statuses item by item,
index names, composable templates, mappings that refuse what does not fit, searches that see nothing before a refresh,
sign-in by API key or password. `/_test/…` bends it: outages, refusals of single items, the largest request.

    emulator.py [--port N] [--api-key KEY] [--user NAME --password WORD]

Prints its address in its first line. Keeps everything in memory.
"""

import argparse
import base64
import fnmatch
import json
import re
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

REFRESH_SECONDS = 1.0
ID_BYTES_MAX = 512
INDEX_BYTES_MAX = 255
FIELDS_MAX = 1000
OPERATIONS = {"index", "create", "update", "delete"}
BULK_TYPES = {"application/x-ndjson", "application/json", "application/vnd.elasticsearch+x-ndjson"}
JSON_TYPES = {"application/json", "application/vnd.elasticsearch+json"}
META = {"_index", "_id", "routing", "require_alias", "if_seq_no", "if_primary_term", "version", "version_type", "pipeline"}
TYPES = {"keyword", "text", "date", "long", "integer", "double", "float", "boolean", "object"}
DATE = re.compile(r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$")


class Refused(Exception):
    def __init__(self, status, kind, reason, cause=None):
        super().__init__(reason)
        self.status, self.kind, self.reason, self.cause = status, kind, reason, cause

    def body(self):
        error = {"type": self.kind, "reason": self.reason}
        if self.cause:
            error["caused_by"] = {"type": "illegal_argument_exception", "reason": self.cause}
        return {"error": {**error, "root_cause": [dict(error)]}, "status": self.status}


class Index:
    def __init__(self, name, mappings):
        self.name = name
        self.dynamic = mappings.get("dynamic", True)
        self.properties = dict(mappings.get("properties", {}))
        self.documents = {}
        self.sequence = 0

    def check(self, source):
        if not isinstance(source, dict):
            raise Refused(400, "document_parsing_exception", "failed to parse", "not an object")
        for name, value in source.items():
            mapping = self.properties.get(name)
            if mapping is None:
                self.unknown(name, value)
            else:
                fits(name, mapping, value)

    def unknown(self, name, value):
        if self.dynamic in (False, "false"):
            return
        if self.dynamic == "strict":
            raise Refused(400, "strict_dynamic_mapping_exception",
                          f"[1:1] mapping set to strict, dynamic introduction of [{name}] within [_doc] is not allowed")
        guess = guessed(value)
        if guess is None:
            return
        if len(self.properties) >= FIELDS_MAX:
            raise Refused(400, "document_parsing_exception", f"Limit of total fields [{FIELDS_MAX}] has been exceeded")
        self.properties[name] = guess


def guessed(value):
    if isinstance(value, list):
        return guessed(value[0]) if value else None
    if value is None:
        return None
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int):
        return {"type": "long"}
    if isinstance(value, float):
        return {"type": "float"}
    if isinstance(value, dict):
        return {"type": "object"}
    if DATE.match(value):
        return {"type": "date"}
    return {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}


def fits(name, mapping, value):
    kind = mapping.get("type", "object")
    if value is None:
        return
    if isinstance(value, list):
        for one in value:
            fits(name, mapping, one)
        return
    good = {
        "keyword": not isinstance(value, dict),
        "text": not isinstance(value, dict),
        "boolean": isinstance(value, bool) or value in ("true", "false", ""),
        "long": whole(value), "integer": whole(value),
        "double": number(value), "float": number(value),
        "date": isinstance(value, int) and not isinstance(value, bool) or isinstance(value, str) and bool(DATE.match(value)),
        "object": isinstance(value, dict),
    }[kind]
    if not good:
        raise Refused(400, "document_parsing_exception", f"[1:1] failed to parse field [{name}] of type [{kind}]",
                      f"cannot read {json.dumps(value)[:80]}")


def number(value):
    if isinstance(value, bool) or isinstance(value, dict):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def whole(value):
    return number(value) and -(2**63) <= float(value) < 2**63


class Cluster:
    def __init__(self):
        self.lock = threading.Lock()
        self.indices, self.templates, self.log = {}, {}, []
        self.faults, self.items, self.bytes_max = [], [], 100 * 1024 * 1024

    # ---- templates and indices

    def put_template(self, name, body):
        unknown = set(body) - {"index_patterns", "priority", "template", "version", "_meta", "composed_of", "data_stream"}
        if unknown:
            raise Refused(400, "x_content_parse_exception", f"[1:2] [index_template] unknown field [{sorted(unknown)[0]}]")
        patterns = body.get("index_patterns")
        if not isinstance(patterns, list) or not patterns or not all(isinstance(one, str) for one in patterns):
            raise Refused(400, "action_request_validation_exception", "Validation Failed: 1: index patterns are missing;")
        inner = body.get("template", {})
        unknown = set(inner) - {"settings", "mappings", "aliases", "lifecycle"}
        if unknown:
            raise Refused(400, "x_content_parse_exception", f"[1:2] [template] unknown field [{sorted(unknown)[0]}]")
        for field, mapping in inner.get("mappings", {}).get("properties", {}).items():
            for part in [mapping, *mapping.get("fields", {}).values()]:
                if part.get("type", "object") not in TYPES:
                    raise Refused(400, "mapper_parsing_exception",
                                  f"No handler for type [{part.get('type')}] declared on field [{field}]")
                unknown = set(part) - {"type", "fields", "ignore_above", "format", "properties", "index", "norms"}
                if unknown:
                    raise Refused(400, "mapper_parsing_exception", f"unknown parameter {sorted(unknown)} on mapper [{field}]")
        priority = body.get("priority", 0)
        for other, known in self.templates.items():
            overlap = other != name and known.get("priority", 0) == priority and any(
                fnmatch.fnmatch(a.replace("*", "x"), b) for a in patterns for b in known["index_patterns"])
            if overlap:
                raise Refused(400, "illegal_argument_exception", f"index template [{name}] has index patterns matching [{other}]")
        self.templates[name] = body

    def index(self, name):
        if name not in self.indices:
            bad = (name != name.lower() or name in (".", "..") or name[:1] in "-_+" or not name
                   or len(name.encode()) > INDEX_BYTES_MAX or re.search(r'[\\/*?"<>| ,#:]', name))
            if bad:
                raise Refused(400, "invalid_index_name_exception", f"Invalid index name [{name}]")
            fitting = [one for one in self.templates.values() if any(fnmatch.fnmatch(name, p) for p in one["index_patterns"])]
            best = max(fitting, key=lambda one: one.get("priority", 0), default={})
            self.indices[name] = Index(name, best.get("template", {}).get("mappings", {}))
        return self.indices[name]

    def matching(self, expression):
        names = []
        for part in expression.split(","):
            found = sorted(name for name in self.indices if fnmatch.fnmatch(name, part if part != "_all" else "*"))
            if not found and "*" not in part:
                raise Refused(404, "index_not_found_exception", f"no such index [{part}]")
            names += found
        return [self.indices[name] for name in names]

    # ---- bulk

    def bulk(self, raw, default):
        if not raw.endswith(b"\n"):
            raise Refused(400, "illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]")
        lines, items, at = raw.split(b"\n")[:-1], [], 0
        while at < len(lines):
            action = parsed(lines[at], at + 1)
            if not isinstance(action, dict) or len(action) != 1:
                raise Refused(400, "illegal_argument_exception",
                              f"Malformed action/metadata line [{at + 1}], expected one operation")
            (operation, meta), = action.items()
            if operation not in OPERATIONS:
                raise Refused(400, "illegal_argument_exception",
                              f"Malformed action/metadata line [{at + 1}], expected field [create], [delete], [index] or "
                              f"[update] but found [{operation}]")
            if not isinstance(meta, dict) or set(meta) - META:
                raise Refused(400, "illegal_argument_exception",
                              f"Action/metadata line [{at + 1}] contains an unknown parameter {sorted(set(meta) - META)}")
            at += 1
            source = None
            if operation != "delete":
                if at >= len(lines):
                    raise Refused(400, "illegal_argument_exception", "the last operation has no document")
                source = lines[at]
                at += 1
            items.append((operation, meta.get("_index", default), meta.get("_id"), source))
        if not items:
            raise Refused(400, "parse_exception", "request body is required")
        answers = [self.item(*item) for item in items]
        return {"took": 1, "errors": any("error" in one for answer in answers for one in answer.values()), "items": answers}

    def item(self, operation, name, key, source):
        answer = {"_index": name, "_id": key}
        try:
            if self.items:
                fault = next((one for one in self.items if fnmatch.fnmatch(key or "", one.get("id", "*"))), None)
                if fault:
                    fault["count"] -= 1
                    if fault["count"] <= 0:
                        self.items.remove(fault)
                    raise Refused(fault["status"], fault.get("type", "es_rejected_execution_exception"), "as told by the test")
            status, version, result = self.apply(operation, name, key, source)
            answer.update({"_version": version, "result": result, "status": status, "_seq_no": self.indices[name].sequence,
                           "_primary_term": 1, "_shards": {"total": 1, "successful": 1, "failed": 0}})
        except Refused as refused:
            answer.update({"status": refused.status, "error": refused.body()["error"]})
        return {operation: answer}

    def apply(self, operation, name, key, source):
        if not isinstance(name, str):
            raise Refused(400, "action_request_validation_exception", "Validation Failed: 1: index is missing;")
        if key is not None and (not isinstance(key, str) or len(key.encode()) > ID_BYTES_MAX or not key):
            raise Refused(400, "illegal_argument_exception", f"id must be text of 1 to {ID_BYTES_MAX} bytes")
        index = self.index(name)
        key = key or uuid.uuid4().hex[:20]
        known = index.documents.get(key)
        if operation == "delete":
            index.documents.pop(key, None)
            return (200, 2, "deleted") if known else (404, 1, "not_found")
        try:
            body = json.loads(source)
        except ValueError as error:
            raise Refused(400, "document_parsing_exception", "failed to parse", str(error)) from None
        if operation == "create" and known:
            raise Refused(409, "version_conflict_engine_exception",
                          f"[{key}]: version conflict, document already exists (current version [{known['version']}])")
        if operation == "update":
            if not known:
                raise Refused(404, "document_missing_exception", f"[{key}]: document missing")
            body = {**known["source"], **body.get("doc", {})}
        index.check(body)
        index.sequence += 1
        version = known["version"] + 1 if known else 1
        index.documents[key] = {"source": body, "version": version, "seen": time.monotonic() + REFRESH_SECONDS}
        return (200, version, "updated") if known else (201, version, "created")

    # ---- reading

    def search(self, expression, body, size, start):
        query = body.get("query", {"match_all": {}})
        now, hits = time.monotonic(), []
        for index in self.matching(expression):
            for key, document in index.documents.items():
                if document["seen"] <= now and matches(index, key, document["source"], query):
                    hits.append({"_index": index.name, "_id": key, "_score": 1.0, "_source": document["source"]})
        for order in reversed(body.get("sort", [])):
            (field, how), = order.items() if isinstance(order, dict) else ((order, "asc"),)
            how = how.get("order", "asc") if isinstance(how, dict) else how
            hits.sort(key=lambda hit: (hit["_source"].get(field) is None, str(hit["_source"].get(field))), reverse=how == "desc")
        return {"took": 1, "timed_out": False, "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
                "hits": {"total": {"value": len(hits), "relation": "eq"}, "max_score": 1.0, "hits": hits[start:start + size]}}

    def refresh(self, expression):
        for index in self.matching(expression):
            for document in index.documents.values():
                document["seen"] = 0.0


def parsed(line, number):
    try:
        return json.loads(line)
    except ValueError as error:
        raise Refused(400, "x_content_parse_exception", f"Malformed action/metadata line [{number}]: {error}") from None


def matches(index, key, source, query):
    (kind, what), = query.items()
    if kind == "match_all":
        return True
    if kind == "ids":
        return key in what["values"]
    if kind == "bool":
        part = lambda name: what.get(name, []) if isinstance(what.get(name, []), list) else [what[name]]
        return (all(matches(index, key, source, one) for one in part("must") + part("filter"))
                and not any(matches(index, key, source, one) for one in part("must_not"))
                and (not part("should") or any(matches(index, key, source, one) for one in part("should"))))
    (field, value), = what.items() if kind != "exists" else ((what["field"], None),)
    whole_word = field.endswith(".keyword")
    field = field.removesuffix(".keyword")
    mapping = index.properties.get(field)
    # What is not mapped is not found, as with `dynamic: false`.
    if mapping is None:
        return False
    here = source.get(field)
    if kind == "exists":
        return here is not None
    if kind in ("term", "terms"):
        if mapping["type"] == "text" and not whole_word:
            raise Refused(400, "parsing_exception", f"the test asks for a term of the analysed field [{field}]")
        wanted = value if kind == "terms" else [value["value"] if isinstance(value, dict) else value]
        return here in wanted
    if kind == "match":
        wanted = value["query"] if isinstance(value, dict) else value
        return here is not None and str(wanted).lower() in str(here).lower()
    raise Refused(400, "parsing_exception", f"unknown query [{kind}]")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "emulator"

    def log_message(self, *_):
        pass

    def handle_any(self):
        cluster, address = self.server.cluster, urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length) if length else b""
        entry = {"method": self.command, "path": unquote(address.path), "bytes": length}
        with cluster.lock:
            try:
                status, body, more = self.answer(cluster, unquote(address.path), parse_qs(address.query), raw)
            except Refused as refused:
                status, body, more = refused.status, refused.body(), {}
            if not address.path.startswith("/_test/"):
                cluster.log.append({**entry, "status": status})
        self.reply(status, body, more)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

    def reply(self, status, body, more):
        kind = "application/json"
        if "compatible-with" in (self.headers.get("accept") or ""):
            kind = "application/vnd.elasticsearch+json;compatible-with=9"
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(payload)))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def media(self, allowed):
        given = (self.headers.get("content-type") or "").split(";")[0].strip()
        if given not in allowed:
            raise Refused(406, "media_type_header_exception", f"Content-Type header [{given}] is not supported")

    def sign_in(self):
        wanted = self.server.authorization
        if wanted and self.headers.get("authorization") != wanted:
            raise Refused(401, "security_exception", "unable to authenticate user for REST request")

    def answer(self, cluster, path, query, raw):
        if path.startswith("/_test/"):
            return self.told(cluster, path, raw)
        self.sign_in()
        if cluster.faults:
            fault = cluster.faults[0]
            if fnmatch.fnmatch(path, fault.get("path", "*")):
                fault["count"] -= 1
                if fault["count"] <= 0:
                    cluster.faults.pop(0)
                more = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
                return fault["status"], {"error": {"type": "told", "reason": "by the test"}, "status": fault["status"]}, more
        if len(raw) > cluster.bytes_max:
            return 413, {"error": {"type": "content_too_long", "reason": "too long"}, "status": 413}, {}
        parts = [part for part in path.split("/") if part]
        verb = self.command
        match parts:
            case [] if verb in ("GET", "HEAD"):
                return 200, {"name": "emulator", "cluster_name": "emulator", "version": {"number": "9.1.0"},
                             "tagline": "You Know, for Search"}, {}
            case [*head, "_bulk"] if verb in ("POST", "PUT") and len(head) <= 1:
                self.media(BULK_TYPES)
                return 200, cluster.bulk(raw, head[0] if head else None), {}
            case ["_index_template", name] if verb in ("PUT", "POST"):
                self.media(JSON_TYPES)
                cluster.put_template(name, self.json(raw))
                return 200, {"acknowledged": True}, {}
            case ["_index_template", name] if verb == "GET":
                found = [{"name": key, "index_template": body} for key, body in cluster.templates.items() if fnmatch.fnmatch(key, name)]
                if not found:
                    raise Refused(404, "resource_not_found_exception", f"index template matching [{name}] not found")
                return 200, {"index_templates": found}, {}
            case [index, "_search"] if verb in ("GET", "POST"):
                body = self.json(raw) if raw else {}
                size = int(body.get("size", query.get("size", ["10"])[0]))
                if size > 10_000:
                    raise Refused(400, "illegal_argument_exception", "Result window is too large")
                return 200, cluster.search(index, body, size, int(body.get("from", 0))), {}
            case [index, "_count"] if verb in ("GET", "POST"):
                found = cluster.search(index, self.json(raw) if raw else {}, 0, 0)
                return 200, {"count": found["hits"]["total"]["value"], "_shards": found["_shards"]}, {}
            case [index, "_refresh"] if verb in ("GET", "POST"):
                cluster.refresh(index)
                return 200, {"_shards": {"total": 1, "successful": 1, "failed": 0}}, {}
            case [index, "_mapping"] if verb == "GET":
                return 200, {one.name: {"mappings": {"dynamic": str(one.dynamic).lower(), "properties": one.properties}}
                             for one in cluster.matching(index)}, {}
            case [index, "_doc", key] if verb in ("GET", "HEAD"):
                document = cluster.matching(index)[0].documents.get(key)
                if document is None:
                    return 404, {"_index": index, "_id": key, "found": False}, {}
                return 200, {"_index": index, "_id": key, "_version": document["version"], "found": True,
                             "_source": document["source"]}, {}
        raise Refused(400, "illegal_argument_exception", f"no handler found for uri [{path}] and method [{verb}]")

    def json(self, raw):
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise Refused(400, "x_content_parse_exception", str(error)) from None
        if not isinstance(body, dict):
            raise Refused(400, "x_content_parse_exception", "an object is expected")
        return body

    def told(self, cluster, path, raw):
        if path == "/_test/log":
            log = list(cluster.log)
            if self.command == "DELETE":
                cluster.log.clear()
            return 200, log, {}
        body = self.json(raw)
        if path == "/_test/fault":
            cluster.faults.append(body)
        elif path == "/_test/item":
            cluster.items.append(body)
        elif path == "/_test/bytes":
            cluster.bytes_max = body["max"]
        else:
            raise Refused(404, "told", "nothing of that name")
        return 200, {}, {}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--api-key")
    arguments.add_argument("--user")
    arguments.add_argument("--password", default="")
    given = arguments.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    server.daemon_threads = True
    server.cluster = Cluster()
    server.authorization = None
    if given.api_key:
        server.authorization = f"ApiKey {given.api_key}"
    elif given.user:
        server.authorization = "Basic " + base64.b64encode(f"{given.user}:{given.password}".encode()).decode()
    print(f"emulated at http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
