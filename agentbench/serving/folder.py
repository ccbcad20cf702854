"""The files that runs sharing a server meet in: `cache_dir/servers/<fingerprint>/`.

users.lock    each run that uses the server holds a shared lock on it; the lock, not the file, means something
keeper.lock   held by the server's keeper as long as the server may run; holds the keeper's process id
start.lock    held while somebody decides whether the server has to be started
server.json   where the server listens, and how it was started
server.log    what it says
adapters/     copies of the LoRA adapters that were loaded, by content
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import orjson

from agentbench.types import record

USERS_LOCK = "users.lock"
KEEPER_LOCK = "keeper.lock"
LOG = "server.log"
ADAPTERS = "adapters"
_START_LOCK = "start.lock"
_STATE = "server.json"


@record
class ServerState:
    """Where a server listens, and what it is."""

    url: str
    """Address without a path: `http://127.0.0.1:8000`."""
    host: str
    """What it was told to listen on."""
    name: str
    """What the model is called there."""
    command: tuple[str, ...]


def try_lock(file: IO[bytes], kind: int) -> bool:
    """Takes a lock (`fcntl.LOCK_SH` or `LOCK_EX`) if that needs no waiting; whether it did."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def is_kept(folder: Path) -> bool:
    """Whether the server's keeper is there."""
    try:
        with (folder / KEEPER_LOCK).open("rb") as file:
            return not try_lock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def keeper_pid(folder: Path) -> int:
    """The keeper's process id; it means something only while `is_kept`."""
    return int((folder / KEEPER_LOCK).read_bytes())


@contextmanager
def deciding(folder: Path) -> Iterator[None]:
    """One process at a time decides whether the server has to be started."""
    with (folder / _START_LOCK).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_state(folder: Path, state: ServerState) -> None:
    """Tells others of a server; they read the old state or the new one, never half of it."""
    fresh = folder / f"{_STATE}.new"
    fresh.write_bytes(orjson.dumps(state, option=orjson.OPT_INDENT_2))
    fresh.replace(folder / _STATE)


def read_state(folder: Path) -> ServerState:
    """What was told of the server."""
    told = orjson.loads((folder / _STATE).read_bytes())
    return ServerState(told["url"], told["host"], told["name"], tuple(told["command"]))
