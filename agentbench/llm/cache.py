"""Answers of a model kept on disk by content: the same request to the same model is neither sent nor paid twice.

One SQLite file, written and read by any number of processes at once. The cache never fails a run: a damaged file is
set aside and a new one begun, and a disk that cannot be written is a line in the log. It holds completions under hashes
of their requests; neither prompts nor keys.

Requests that are equal and under way at the same time in one process are sent once. Two processes may still send the
same request at the same moment; then both pay, and the later answer stays.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from agentbench.errors import PreflightError
from agentbench.llm import Llm, Request
from agentbench.llm.structured import read_object
from agentbench.types import Generation, Usage

T = TypeVar("T")

ANSWERS = "answers-1.sqlite"
"""The file's name; its number counts changes of what a key or an answer consists of."""
FINISHED = ("stop", "tool_calls", "function_call")
"""Finish reasons of completions that are whole."""
OPENING_S = 5.0
"""How long opening waits for other processes that write, in seconds."""
BUSY_S = 0.5
"""How long one answer waits for them; then it is asked for, or not kept."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""SQLite's codes for a file that is broken, is no database, or holds other tables than ours."""

_log = logging.getLogger(__name__)


class CachedLlm:
    """An `Llm` that answers from disk what it was asked before. All its methods belong to one event loop.

    An answer from the cache has no usage and took no time, so that nothing is accounted twice; all else is as the
    model gave it. Only whole answers are kept, and under a schema only those that satisfy it.
    """

    def __init__(self, llm: Llm, folder: Path, identity: str) -> None:
        """`identity` names the model: requests to another one have other answers.

        Raises:
            PreflightError: the folder cannot be made, or no cache can be opened in it.
        """
        self._llm = llm
        self._identity = identity
        self._store = _Store(folder / ANSWERS)
        self._thread = ThreadPoolExecutor(1, "llm-cache")
        self._flights: dict[bytes, _Flight] = {}

    async def generate(self, request: Request) -> Generation:
        """The completion of one request, from the cache if it is there.

        Raises:
            LlmError: the model could not answer.
        """
        key = request_key(self._identity, request)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(self._fetch(key, request)))
        flight.waiting += 1
        try:
            generation = await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                del self._flights[key]
                flight.task.cancel()  # nobody wants the answer any more; nothing happens if it is there
        generation = unpaid(generation) if flight.paid else generation
        flight.paid = True
        return replace(generation, role=request.role)

    async def close(self) -> None:
        """Gives up requests under way, closes the file and the model behind the cache."""
        for flight in self._flights.values():
            flight.task.cancel()
        await asyncio.to_thread(self._thread.shutdown)
        self._store.close()
        await self._llm.close()

    async def _fetch(self, key: bytes, request: Request) -> Generation:
        kept = await self._on_thread(lambda: self._store.get(key))
        if kept is not None:
            return unpaid(kept)
        generation = await self._llm.generate(request)
        if _good(generation, request):
            await self._on_thread(lambda: self._store.put(key, generation))
        return generation

    async def _on_thread(self, work: Callable[[], T]) -> T:
        """Waiting for the disk, or for other processes, must not hold up the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def request_key(identity: str, request: Request) -> bytes:
    """SHA-256 of all that an answer depends on: the model and the request, the order of a schema's properties too.

    Who asks, role and episode, is not in it.
    """
    return hashlib.sha256(orjson.dumps([identity, replace(request, role="", episode=None)])).digest()


def unpaid(generation: Generation) -> Generation:
    """The same answer without its price in tokens and time."""
    return replace(generation, usage=Usage(), seconds=0.0)


def _good(generation: Generation, request: Request) -> bool:
    if generation.finish_reason not in FINISHED or not generation.completion.strip():
        return False
    return request.schema is None or not read_object(generation.completion, request.schema).problem


@dataclass
class _Flight:
    """A request under way, and how many wait for it."""

    task: asyncio.Task[Generation]
    waiting: int = 0
    paid: bool = False
    """Whether somebody took the answer with its usage."""


class _Store:
    """The file, used by one thread at a time. After its constructor nothing in it raises."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._complained = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as error:
            raise _unusable(path, error.strerror or str(error)) from error
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise _unusable(path, str(error)) from error
            self._set_aside(error)
        if self._connection is None:
            raise _unusable(path, "it cannot be replaced")

    def get(self, key: bytes) -> Generation | None:
        """The answer under a key, if there is a readable one."""
        row = self._execute("SELECT answer FROM answers WHERE key = ?", key)
        try:
            return None if row is None else _adapter().validate_json(row[0])
        except ValidationError:
            return None

    def put(self, key: bytes, generation: Generation) -> None:
        """Keeps an answer, if the disk lets us."""
        self._execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", key, orjson.dumps(generation))

    def close(self) -> None:
        """Closes the file."""
        if self._connection is not None:
            self._connection.close()

    def _execute(self, statement: str, *values: bytes) -> tuple[bytes] | None:
        if self._connection is None:
            return None
        try:
            return self._connection.execute(statement, values).fetchone()
        except sqlite3.DatabaseError as error:
            if _damaged(error):
                self._set_aside(error)
            else:
                self._complain(error)
            return None

    def _set_aside(self, error: sqlite3.Error) -> None:
        """Moves a damaged file out of the way and begins a new one, unless another process did so already."""
        self.close()
        aside = f"{self._path}.damaged-{time.time_ns()}"
        try:
            if self._inode == _inode(self._path):
                os.replace(self._path, aside)
                for ending in ("-wal", "-shm"):
                    Path(f"{self._path}{ending}").unlink(missing_ok=True)
                _log.warning("damaged cache (%s): moved to %s, and a new one is begun", error, aside)
            self._open()
        except (OSError, sqlite3.DatabaseError) as failure:
            self._connection = None
            self._complain(failure)

    def _open(self) -> None:
        self._inode = _inode(self._path)
        self._connection: sqlite3.Connection | None = None
        connection = sqlite3.connect(self._path, timeout=OPENING_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
        except sqlite3.DatabaseError:
            connection.close()
            raise
        self._connection, self._inode = connection, _inode(self._path)

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            _log.warning("the cache %s cannot be used (%s); answers are asked for instead", self._path, error)


def _prepare(connection: sqlite3.Connection) -> None:
    """Write-ahead logging, so that readers never wait; another process that is just switching it on does it for us."""
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if _code(error) != sqlite3.SQLITE_BUSY:
            raise
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, answer BLOB NOT NULL) WITHOUT ROWID")
    connection.execute(f"PRAGMA busy_timeout = {round(1000 * BUSY_S)}")


def _damaged(error: sqlite3.DatabaseError) -> bool:
    return _code(error) in _DAMAGED


def _code(error: sqlite3.Error) -> int:
    """The primary result code; the upper bits say more."""
    return error.sqlite_errorcode & 0xFF


def _inode(path: Path) -> int | None:
    """Which file a name stands for at this moment."""
    return path.stat().st_ino if path.exists() else None


def _unusable(path: Path, problem: str) -> PreflightError:
    return PreflightError(
        f"the cache {path} cannot be opened: {problem}", "correct cache_dir, or set the endpoint's cache=false"
    )


@cache
def _adapter() -> TypeAdapter[Generation]:
    return TypeAdapter(Generation)
