"""Which failures are the machine's or the user's, and not ours."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pydantic_core import SchemaError

from agentbench.app.refusals import refusal, was_ctrl_c


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE])
def test_a_file_that_cannot_be_written_is_named(number: int) -> None:
    told = refusal(OSError(number, "No luck", "out/rows.jsonl"))
    assert told is not None and str(told) == "cannot write out/rows.jsonl: No luck"


def test_a_database_that_cannot_be_opened_is_a_refusal_and_wrong_sql_is_not(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as nowhere:
        sqlite3.connect(tmp_path / "missing" / "a.sqlite")
    with closing(sqlite3.connect(":memory:")) as connection, pytest.raises(sqlite3.OperationalError) as wrong:
        connection.execute("SELECT nothing FROM nowhere")
    assert refusal(nowhere.value) is not None and refusal(wrong.value) is None


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried …"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_a_lack_of_memory_is_recognised_whoever_tells_it(error: Exception) -> None:
    assert str(refusal(error)).startswith("out of memory: ")


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), KeyError("rows"), OSError(errno.ENOENT, "No")])
def test_anything_else_stays_a_bug(error: Exception) -> None:
    assert refusal(error) is None and not was_ctrl_c(error)


def test_a_ctrl_c_is_recognised_below_what_libraries_made_of_it() -> None:
    with pytest.raises(AttributeError) as during:
        try:
            raise KeyboardInterrupt
        finally:
            raise AttributeError  # as a clean-up does that finds things half done
    assert was_ctrl_c(during.value)
    assert was_ctrl_c(SchemaError('Error building "enum" validator:\n  KeyboardInterrupt: '))
