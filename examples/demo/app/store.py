"""The shop's store: counts visits per web server and keeps them in one file. Standard library only."""

import argparse
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME_LENGTH_MAX = 64
LOCK = threading.Lock()


class Store:
    """The counts, and the file they live in."""

    def __init__(self, path):
        self.path = path
        self.visits = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.visits = json.load(file)

    def visit(self, name):
        """Counts one visit; the file is replaced in one step, so a crash leaves the old or the new one."""
        with LOCK:
            self.visits[name] = self.visits.get(name, 0) + 1
            temporary = f"{self.path}.new"
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump(self.visits, file)
            os.replace(temporary, self.path)
            return dict(self.visits)


class Handler(BaseHTTPRequestHandler):
    """POST /visits/NAME counts; GET / tells."""

    store = None

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, self.store.visits)

    def do_POST(self):
        kind, _, name = self.path.strip("/").partition("/")
        if kind != "visits" or not 0 < len(name) <= NAME_LENGTH_MAX:
            self.answer(404, {"error": "POST /visits/NAME"})
            return
        self.answer(200, self.store.visit(name))

    def log_message(self, *_):
        pass


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--file", required=True)
    chosen = arguments.parse_args()
    Handler.store = Store(chosen.file)
    ThreadingHTTPServer(("0.0.0.0", chosen.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
