"""A model server that costs next to nothing: an OpenAI-compatible endpoint whose model calls `add` five times.

    python model_server.py <file with the completions' token ids, as JSON>

Prints its port. It keeps no state: what it answers follows from how many tool results the prompt holds, counted by the
role of messages in chat, by the id of the token that opens a result in completions. HTTP is read by hand, so that the
client is what a benchmark measures: one connection gives some 12,000 answers per second.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import orjson
import uvloop

CALLS = 5
"""Tool calls before the answer."""
ANSWER = str(sum(range(CALLS)) + CALLS)
"""What the calls come to: 1 + 2 + … + 5."""


def main() -> None:
    """Serves on a free port of the loopback interface until killed."""
    uvloop.run(_serve(orjson.loads(Path(sys.argv[1]).read_bytes())))


async def _serve(script: dict[str, Any]) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(script), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class _Connection(asyncio.Protocol):
    """One kept-alive connection; requests come one at a time."""

    def __init__(self, script: dict[str, Any]) -> None:
        self._script = script
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, gap, body = self._received.partition(b"\r\n\r\n")
        if not gap:
            return
        length = _content_length(head)
        if len(body) >= length:
            self._received = body[length:]
            self._reply(self._answer(head.split(b" ", 2)[1], body[:length]))

    def _answer(self, path: bytes, body: bytes) -> dict[str, Any]:
        if path.endswith(b"/models"):
            return {"object": "list", "data": [{"id": "student", "object": "model"}]}
        asked = orjson.loads(body)
        return _chat(asked) if path.endswith(b"/chat/completions") else _completion(asked, self._script)

    def _reply(self, value: dict[str, Any]) -> None:
        body = orjson.dumps(value)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)


def _content_length(head: bytes) -> int:
    place = head.lower().find(b"content-length:")
    return int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0


def _chat(asked: dict[str, Any]) -> dict[str, Any]:
    made = sum(message["role"] == "tool" for message in asked["messages"])
    message: dict[str, Any] = {"role": "assistant", "content": ANSWER}
    if made < CALLS:
        function = {"name": "add", "arguments": orjson.dumps({"number": made + 1}).decode()}
        call = {"id": f"call_{made}", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    reason = "tool_calls" if made < CALLS else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    return _envelope("chat.completion", choice, 300 + 40 * made, 20)


def _completion(asked: dict[str, Any], script: dict[str, Any]) -> dict[str, Any]:
    prompt = asked["prompt"]
    said = script["completions"][prompt.count(script["result_id"])]
    choice = {
        "index": 0,
        "text": said["text"],
        "token_ids": said["ids"],
        "prompt_token_ids": prompt,
        "logprobs": {"token_logprobs": said["logprobs"]},
        "finish_reason": "stop",
    }
    return _envelope("text_completion", choice, len(prompt), len(said["ids"]))


def _envelope(kind: str, choice: dict[str, Any], prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": prompt_tokens // 2},
    }
    return {"id": "x", "object": kind, "created": 1, "model": "student", "choices": [choice], "usage": usage}


if __name__ == "__main__":
    main()
