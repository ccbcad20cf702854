"""An MCP server over stdio in plain Python, of the protocol's 2025 editions; its argument says what is odd about it.

`speechless` answers nothing, `chatty` prints a greeting first, `stubborn` ignores SIGTERM and the end of its input,
`""` is ordinary. Two tools to a page. `state` counts the calls of one process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

OBJECT = {"type": "object", "properties": {"text": {"type": "string"}}}
NAMES = ("echo", "die", "sleep", "environment", "state")
calls = 0


def tools(cursor: str | None) -> dict[str, Any]:
    start = int(cursor or 0)
    page = [{"name": name, "description": f"Does {name}.", "inputSchema": OBJECT} for name in NAMES[start : start + 2]]
    return {"tools": page, **({"nextCursor": str(start + 2)} if start + 2 < len(NAMES) else {})}


def called(name: str, text: str) -> str:
    global calls
    calls += 1
    match name:
        case "die":
            print("the disk is full, my token is", os.environ.get("SHOP_TOKEN"), file=sys.stderr, flush=True)
            os._exit(3)
        case "sleep":
            time.sleep(float(text))
        case "environment":
            return json.dumps(dict(os.environ))
        case "state":
            return str(calls)
    return text


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    match method:
        case "initialize":
            info = {"name": "plain", "version": "1"}
            return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
        case "tools/list":
            return tools(params.get("cursor"))
        case "tools/call":
            text = called(params["name"], params.get("arguments", {}).get("text", ""))
            return {"content": [{"type": "text", "text": text}]}
    raise NotImplementedError(method)


def main(mode: str) -> None:
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "chatty":
        print("Welcome to the plain server!", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request or mode == "speechless":
            continue
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            reply["result"] = answer(request["method"], request.get("params", {}))
        except NotImplementedError:
            reply["error"] = {"code": -32601, "message": "no such method"}
        print(json.dumps(reply), flush=True)
    while mode == "stubborn":
        time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
