"""The least that a client can do with aiohttp, orjson and uvloop.

    python floor.py <url> <episodes> <concurrency> <folder>

Messages grow by appending, the tool is a line of Python, each episode ends as one line of JSON. No template, no
environment, no checks, no token ids.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import orjson
import uvloop
from reading import QUESTION, SYSTEM, Asked, Watch, asked

TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds a number to the total and gives the total.",
        "parameters": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
    },
}


async def play(given: Asked) -> int:
    """Plays all episodes; the number of right answers."""
    slots, connector = asyncio.Semaphore(given.concurrency), aiohttp.TCPConnector(limit=0)
    given.folder.mkdir(parents=True, exist_ok=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        with (given.folder / "episodes.jsonl").open("wb") as file:

            async def run(number: int) -> bool:
                async with slots:
                    messages = await _episode(session, f"{given.base_url}/chat/completions")
                file.write(orjson.dumps({"id": number, "messages": messages}) + b"\n")
                return messages[-1]["content"] == "15"

            return sum(await asyncio.gather(*(run(number) for number in range(given.episodes))))


async def _episode(session: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": QUESTION},
    ]
    total = 0
    while True:
        body = orjson.dumps({"model": "student", "messages": messages, "tools": [TOOL], "temperature": 0.0})
        async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
            message = orjson.loads(await response.read())["choices"][0]["message"]
        messages.append(message)
        if not message.get("tool_calls"):
            return messages
        for call in message["tool_calls"]:
            total += orjson.loads(call["function"]["arguments"])["number"]
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": str(total)})


if __name__ == "__main__":
    given, watch = asked(), Watch()
    watch.report(given, uvloop.run(play(given)))
