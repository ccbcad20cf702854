"""A run that uses a server and does nothing else, in a process of its own."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import orjson

from agentbench.serving.lease import ServerPlan, lease_of_process

signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))
signal.signal(signal.SIGINT, signal.default_int_handler)
told = orjson.loads(sys.stdin.readline())
command: list[str] = told["command"]


def on_port(port: int) -> list[str]:
    return [str(port) if word == "12345" else word for word in command]


plan = ServerPlan(**{**told, "folder": Path(told["folder"]), "command": on_port})
lease_of_process(plan, lambda line: print(line, flush=True))
print("ready", flush=True)
try:
    time.sleep(600)
except KeyboardInterrupt:
    sys.exit(4)
