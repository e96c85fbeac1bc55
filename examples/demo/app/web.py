"""The shop's front: asks the store and answers with a page. Standard library only."""

import argparse
import json
import socket
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STORE_TIMEOUT_SECONDS = 5


class Handler(BaseHTTPRequestHandler):
    """GET / counts a visit and shows all; GET /health asks the store without counting."""

    store = None

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ask_store(self, method, path):
        request = urllib.request.Request(self.store + path, method=method)
        with urllib.request.urlopen(request, timeout=STORE_TIMEOUT_SECONDS) as answer:
            return json.load(answer)

    def do_GET(self):
        name = socket.gethostname()
        try:
            if self.path == "/health":
                self.ask_store("GET", "/")
                self.answer(200, "ok\n")
                return
            visits = self.ask_store("POST", f"/visits/{name}")
        except OSError as error:
            self.answer(503, f"The store does not answer: {error}\n")
            return
        lines = [f"Welcome to the shop. This is {name}.", "Visits so far:"]
        lines += [f"  {server}: {count}" for server, count in sorted(visits.items())]
        self.answer(200, "\n".join(lines) + "\n")

    def log_message(self, *_):
        pass


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--store", required=True)
    chosen = arguments.parse_args()
    Handler.store = chosen.store
    ThreadingHTTPServer(("127.0.0.1", chosen.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
