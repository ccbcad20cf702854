"""A model server that fails every tenth request, in five ways by turns: `python server.py`, prints its port.

What was asked and failed is answered when it is asked again: garbage three times in a row would be an episode's error.
An agent of it calls a tool for the number in the question, and answers with twice the number. `GET /counts` says how
many requests it was asked and how often it failed in which way, by the names that summaries of runs use.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any, cast

import orjson
import uvloop
from tools import BLOCKING

EVERY = 10
KINDS = ("rate_limited", "server_error", "timeout", "cut", "garbage")
_NUMBER = re.compile(r"Double (\d+)\.")


def main() -> None:
    """Serves on a free port of the loopback interface until killed."""
    uvloop.run(_serve())


async def _serve() -> None:
    counts: Counter[str] = Counter()
    owed: Counter[bytes] = Counter()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(counts, owed), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class _Connection(asyncio.Protocol):
    """One kept-alive connection; requests come one at a time."""

    def __init__(self, counts: Counter[str], owed: Counter[bytes]) -> None:
        self._counts = counts
        self._owed = owed  # what was asked and failed, as often as it has to be asked again
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, gap, body = self._received.partition(b"\r\n\r\n")
        length = _content_length(head)
        if gap and len(body) >= length:
            self._received = body[length:]
            self._answer(head.split(b" ", 2)[1], body[:length])

    def _answer(self, path: bytes, body: bytes) -> None:
        if path == b"/counts":
            self._reply(orjson.dumps(self._counts))
        elif path.endswith(b"/models"):
            self._reply(orjson.dumps({"object": "list", "data": [{"id": "soaked", "object": "model"}]}))
        else:
            self._counts["requests"] += 1
            self._say(orjson.dumps(_chat(orjson.loads(body))), self._fault(body))

    def _fault(self, body: bytes) -> str:
        if self._owed[body]:
            self._owed[body] -= 1
            return ""
        self._counts["fresh"] += 1
        turn, rest = divmod(self._counts["fresh"], EVERY)
        kind = "" if rest else KINDS[turn % len(KINDS)]
        if kind:
            self._counts[kind] += 1
            self._owed[body] += 1
        return kind

    def _say(self, answer: bytes, fault: str) -> None:
        match fault:
            case "rate_limited":
                self._reply(b'{"error":{"message":"slower"}}', b"429 Too Many Requests")
            case "server_error":
                self._reply(b'{"error":{"message":"oh no"}}', b"500 Internal Server Error")
            case "timeout":
                pass
            case "cut":
                self._transport.write(_head(len(answer), b"200 OK") + answer[: len(answer) // 2])
                self._transport.close()
            case "garbage":
                self._reply(b"<html>a page, and no answer")
            case _:
                self._reply(answer)

    def _reply(self, body: bytes, status: bytes = b"200 OK") -> None:
        self._transport.write(_head(len(body), status) + body)


def _head(length: int, status: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, length)


def _content_length(head: bytes) -> int:
    place = head.lower().find(b"content-length:")
    return int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0


def _chat(asked: dict[str, Any]) -> dict[str, Any]:
    messages = asked["messages"]
    number = int(_NUMBER.search(next(each["content"] for each in messages if each["role"] == "user"))[1])  # type: ignore[index]
    message: dict[str, Any] = {"role": "assistant", "content": str(2 * number)}
    if not any(each["role"] == "tool" for each in messages):
        name = "slow_double" if number % 100 in BLOCKING else "double"
        function = {"name": name, "arguments": orjson.dumps({"number": number}).decode()}
        call = {"id": "call", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "soaked",
        "choices": [choice],
        "usage": usage,
    }


if __name__ == "__main__":
    main()
