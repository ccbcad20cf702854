"""A model server of its own process, to be killed: says `{"port": …}` and answers every prompt with its own name."""

from __future__ import annotations

import asyncio
import json
import sys

from aiohttp import web


async def serve(name: str, pause_s: float) -> None:
    """Answers until it is killed."""

    async def complete(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(pause_s)
        usage = {"prompt_tokens": 2, "completion_tokens": 1}
        return web.json_response({"choices": [{"text": name, "finish_reason": "stop"}], "usage": usage})

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "student"}]})

    app = web.Application()
    app.add_routes([web.post("/v1/completions", complete), web.get("/v1/models", models)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[3]), reuse_address=True).start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], float(sys.argv[2])))
