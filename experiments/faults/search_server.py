"""As much of Elasticsearch as a run asks for, in memory; after a number of searches it closes every connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson


class SearchServer(ThreadingHTTPServer):
    """The engine; every search finds the first document."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.mappings: dict[str, dict[str, Any]] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        """By the number that the client gives them."""
        self.searched = 0
        self.most = 1_000_000
        """Searches that are answered."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients that are killed leave in the middle of an answer."""


class _Handler(BaseHTTPRequestHandler):
    server: SearchServer  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        index = self.path.split("?")[0].strip("/").split("/")[0]
        match self.path:
            case "/":
                self._answer(
                    {"version": {"number": "9.1.0", "build_flavor": "default"}, "tagline": "You Know, for Search"}
                )
            case path if "_mapping" in path and index not in self.server.mappings:
                self._answer({"error": {"type": "index_not_found_exception"}, "status": 404}, 404)
            case path if "_mapping" in path:
                self._answer({index: {"mappings": self.server.mappings[index]}})
            case path if "_count" in path:
                self._answer({"count": len(self.server.documents)})
            case _:
                self._answer({})

    def do_PUT(self) -> None:
        index, body = self.path.split("?")[0].strip("/").split("/")[0], self._body()
        if "_bulk" in self.path:
            self._bulk(body)
            return
        asked = orjson.loads(body)
        if "_mapping" in self.path:
            self.server.mappings[index] |= asked
        else:
            self.server.mappings[index] = asked.get("mappings", {})
        self._answer({"acknowledged": True})

    def do_POST(self) -> None:
        self._body()
        if "_search" in self.path:
            self._search()
        elif "_count" in self.path:
            self._answer({"count": len(self.server.documents)})
        else:
            self._answer({"_shards": {"failed": 0}})

    def _search(self) -> None:
        self.server.searched += 1
        if self.server.searched > self.server.most:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        first = min(self.server.documents, key=int)
        self._answer({"hits": {"hits": [{"_score": 1.0, "_source": self.server.documents[first]}]}})

    def _bulk(self, body: bytes) -> None:
        lines = [orjson.loads(line) for line in body.splitlines() if line]
        items = []
        for told, document in zip(lines[::2], lines[1::2], strict=True):
            self.server.documents[told["create"]["_id"]] = document
            items.append({"create": {"_id": told["create"]["_id"], "status": 201}})
        self._answer({"errors": False, "items": items})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, value: object, status: int = 200) -> None:
        body = orjson.dumps(value)
        self.send_response(status)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=9")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def search_server() -> Iterator[SearchServer]:
    """An empty engine for as long as the context lasts."""
    with SearchServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
