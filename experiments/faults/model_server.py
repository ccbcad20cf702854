"""A chat model behind real HTTP that says the same every time, and can be told to misbehave.

Asked with tools, it calls one of them first and then refuses to answer; asked for an object of a JSON Schema, as judges
and writers of requests are, it gives the smallest one. Its faults begin after a number of requests.
"""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

NAME = "scripted"
REFUSAL = "I cannot answer this."


class Misbehaviour(StrEnum):
    """What is wrong with a server."""

    DEAD = "dead"
    """It closes every connection."""
    SLOW = "slow"
    """It gives no answer within any patience."""
    GARBAGE = "garbage"
    SERVER_ERROR = "5xx"
    RATE_LIMITED = "429"


class ModelServer(ThreadingHTTPServer):
    """The server; `misbehave` may be set at any time."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0, delay_s: float = 0.02) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.delay_s = delay_s
        self.asked = 0
        self.faults = 0
        """Requests that were answered wrongly, or not at all."""
        self.misbehave: Misbehaviour | None = None
        self.after = 0
        """Requests before the first fault."""
        self.most = 1_000_000
        """Faults after which it answers again."""

    @property
    def fault(self) -> Misbehaviour | None:
        """What is to happen to the present request."""
        due = self.misbehave is not None and self.asked > self.after and self.faults < self.most
        return self.misbehave if due else None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients that are killed leave in the middle of an answer."""


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.server.fault is Misbehaviour.DEAD:
            self._hang_up()
        else:
            self._answer(200, orjson.dumps({"data": [{"id": NAME}]}))

    def do_POST(self) -> None:
        asked = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked += 1
        fault = self.server.fault
        time.sleep(self.server.delay_s)
        if fault is None:
            self._answer(200, orjson.dumps(said(asked)))
            return
        self.server.faults += 1
        match fault:
            case Misbehaviour.DEAD:
                self._hang_up()
            case Misbehaviour.SLOW:
                time.sleep(30)
                self._hang_up()
            case Misbehaviour.GARBAGE:
                self._answer(200, b"\x00\xff<html>it works!</html>")
            case Misbehaviour.SERVER_ERROR:
                self._answer(503, b"out of memory")
            case Misbehaviour.RATE_LIMITED:
                self._answer(429, b'{"error": "slow down"}')

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def said(asked: dict[str, Any]) -> dict[str, Any]:
    """The body of an answer."""
    message: dict[str, Any] = {"role": "assistant", "content": REFUSAL}
    form = asked.get("response_format")
    if form is not None:
        word = f"thing {zlib.crc32(orjson.dumps(asked['messages']))}"  # others for other questions
        message["content"] = orjson.dumps(smallest(form["json_schema"]["schema"], word)).decode()
    elif asked.get("tools") and not any(each["role"] == "tool" for each in asked["messages"]):
        message["tool_calls"] = [{"id": "1", "type": "function", "function": _call(asked["tools"])}]
    return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": {}}


def _call(tools: list[dict[str, Any]]) -> dict[str, str]:
    """A search where there is one, else the first tool."""
    declared = [tool["function"] for tool in tools]
    chosen = next((one for one in declared if one["name"] == "retrieve_documents"), declared[0])
    return {"name": chosen["name"], "arguments": orjson.dumps(smallest(chosen["parameters"], "something")).decode()}


def smallest(schema: dict[str, Any], word: str) -> Any:
    """A small value that satisfies the common part of JSON Schema; its texts are `word`."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: smallest(schema["properties"][name], word) for name in schema.get("required", ())}
        case "array":
            return [smallest(schema["items"], word)]
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("minimum", 1)
        case _:
            return word


@contextmanager
def model_server(port: int = 0, delay_s: float = 0.02) -> Iterator[ModelServer]:
    """A server that answers for as long as the context lasts."""
    with ModelServer(port, delay_s) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
