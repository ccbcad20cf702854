"""One read-only SQLite connection that hostile input can neither change nor hold up.

Guards, from the outside in: the file is opened with `mode=ro`; an authorizer refuses every statement that is not
a plain SELECT (ATTACH, PRAGMA, writes, transactions, extensions); a progress handler stops a statement that takes
too long; rows and value sizes are capped. Not covered: the memory a sort of a very large table takes.

Statements run inline, because a hop to a thread costs more than a query; only files too large for that get a
worker thread of their own. The file must not change while it is open: short answers are remembered, since episodes of
one task ask the same again and again.
"""

from __future__ import annotations

import asyncio
import sqlite3
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from agentbench.errors import DataError, PreflightError, ToolError

MAX_ROWS = 10_000
"""Most rows one statement may give."""
INLINE_BYTES = 256 * 1024 * 1024
"""Files larger than this are queried in a worker thread."""
MAX_VALUE_BYTES = 16 * 1024 * 1024
MAX_PATTERN_BYTES = 1000
REMEMBERED = 4096
"""Most answers that are remembered; the oldest ones go first."""
REMEMBERED_ROWS = 64
"""Longest answer that is remembered, in rows."""
REMEMBERED_CHARS = 10_000
"""Longest answer that is remembered, in characters of text."""
HANDLER_INTERVAL = 10_000
"""Virtual machine instructions between two looks at the clock: well under a millisecond."""

Scalar = str | int | float | bytes | None
Rows = list[tuple[Any, ...]]
"""Values are `Scalar`."""
Parameters = Sequence[Any] | Mapping[str, Any]

_ALLOWED_ACTIONS = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
# The last three would make answers irreproducible or memory a caller's choice.
_DENIED_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "random", "randomblob", "zeroblob"})


_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR})
"""Primary result codes that are about the file, not about what was asked."""


class Database:
    """A SQLite file that can only be read, shared by all episodes of an event loop."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        """Opens the file and reads its schema; `timeout_s` is the longest time one statement may take.

        Raises:
            PreflightError: there is no such file, or it may not be read.
            DataError: the file is not a SQLite database, or is damaged where a quick look can tell.
        """
        size = _checked_size(path)
        self._path = path
        self._timeout_s = timeout_s
        self._deadline = 0.0
        self._expired = False
        self._lock = threading.Lock()
        self._remembered: dict[_Question, Rows] = {}
        self._worker = ThreadPoolExecutor(1, "sqlite") if size > INLINE_BYTES else None
        self._connection = _open(path)
        self._connection.set_progress_handler(self._out_of_time, HANDLER_INTERVAL)

    def rows(
        self, sql: str, parameters: Parameters = (), *, max_rows: int = MAX_ROWS, timeout_s: float | None = None
    ) -> Rows:
        """All rows of one SELECT; values are bound, never pasted. Blocks the caller.

        `timeout_s` stands in for the database's own limit.

        Raises:
            ToolError: the statement is refused, wrong, too slow, or gives more than `max_rows` rows.
            DataError: the file turns out to be damaged, or cannot be read any more.
        """
        allowed_s = self._timeout_s if timeout_s is None else timeout_s
        with self._lock:
            self._deadline = time.monotonic() + allowed_s
            self._expired = False
            try:
                with closing(self._connection.execute(sql, parameters)) as cursor:
                    rows = cursor.fetchmany(max_rows + 1)
            # Warning: two statements in one. The last two: values SQLite has no type for.
            except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeError) as error:
                raise self._refusal(error, allowed_s) from error
        if len(rows) > max_rows:
            raise ToolError(f"the result has more than {max_rows:,} rows; ask for less")
        return rows

    async def query(self, sql: str, parameters: Parameters = ()) -> Rows:
        """`rows` without holding up other episodes for long: large files answer from a worker thread.

        A short answer to the same question is the one given before; callers must not change it.
        """
        question = _question(sql, parameters)
        known = self._remembered.get(question)
        if known is not None:
            return known
        if self._worker is None:
            answer = self.rows(sql, parameters)
        else:
            answer = await asyncio.get_running_loop().run_in_executor(self._worker, self.rows, sql, parameters)
        if len(answer) <= REMEMBERED_ROWS and _light(answer):
            if len(self._remembered) >= REMEMBERED:
                self._remembered.pop(next(iter(self._remembered)), None)
            self._remembered[question] = answer
        return answer

    async def count(self, sql: str, parameters: Parameters = ()) -> int:
        """The answer of a `SELECT count(…)`.

        Raises:
            ToolError: as in `rows`.
        """
        ((answer,),) = await self.query(sql, parameters)
        return answer

    def close(self) -> None:
        """Frees the file; a statement under way in the worker thread is waited for."""
        if self._worker is not None:
            self._worker.shutdown()
        self._connection.close()

    def _out_of_time(self) -> bool:
        self._expired = time.monotonic() > self._deadline
        return self._expired

    def _refusal(self, error: Exception, allowed_s: float) -> ToolError | DataError:
        code = vars(error).get("sqlite_errorcode", 0)  # only SQLite's own errors carry one, Python's wrapper's do not
        if code & 0xFF in _DAMAGED:
            return DataError(self._path, f"damaged database: {error}", next_step="prepare the world again")
        if self._expired:
            return ToolError(f"the database took longer than {allowed_s:g} s; ask for less")
        return ToolError(f"the database refused the request: {str(error)[:200]}")


_Question = tuple[str, tuple[object, ...]]


def _question(sql: str, parameters: Parameters) -> _Question:
    """What makes two questions the same; 1, 1.0 and True are bound differently and told apart."""
    values = parameters.items() if isinstance(parameters, Mapping) else parameters
    return sql, tuple((type(value), repr(value)) for value in values)


def _light(answer: Rows) -> bool:
    return sum(len(value) for row in answer for value in row if isinstance(value, str | bytes)) <= REMEMBERED_CHARS


def _checked_size(path: Path) -> int:
    """Size of the file in bytes, once its header agrees with it."""
    if not path.is_file():
        raise PreflightError(f"no database at {path}", "python -m agentbench.prepare")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise PreflightError(f"database {path} cannot be read: {error.strerror}") from error
    if len(header) < 100 or not header.startswith(b"SQLite format 3\x00"):
        raise DataError(path, "not a SQLite database", next_step="python -m agentbench.prepare")
    page_bytes, changes, pages, counted_at = struct.unpack_from(">H6xI I60xI", header, 16)
    # https://www.sqlite.org/fileformat.html section 1.3: the page count only holds if both counters agree.
    expected = (65536 if page_bytes == 1 else page_bytes) * pages
    if changes == counted_at and size < expected:
        problem = f"damaged: its header promises {expected:,} bytes, the file has {size:,}"
        raise DataError(path, problem, next_step="python -m agentbench.prepare")
    return size


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            check_same_thread=False,
            cached_statements=512,
            isolation_level=None,
        )
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute("SELECT count(*), sum(length(sql)) FROM sqlite_master").fetchall()
    except (sqlite3.Error, UnicodeError) as error:  # the second one: names of a damaged schema
        problem = f"cannot be read as a SQLite database: {error}"
        raise DataError(path, problem, next_step="python -m agentbench.prepare") from error
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_authorizer(_authorize)
    return connection


def _authorize(action: int, _first: str | None, second: str | None, _schema: str | None, _source: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION and second is not None and second.lower() in _DENIED_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED_ACTIONS else sqlite3.SQLITE_DENY
