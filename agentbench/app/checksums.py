"""`SHA256SUMS` in a run's folder: what its files held when the run ended, as `sha256sum -c` reads it.

Logs, which the last lines of a run still go to, lock files and drafts are left out. Whoever can change a file can
change its line here too: this tells of damage and of later edits, and is no signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from agentbench.app.lock import LOCK
from agentbench.app.writing import write_whole
from agentbench.errors import DataError, PreflightError

CHECKSUMS = "SHA256SUMS"
_LEFT_OUT = frozenset({CHECKSUMS, LOCK})
_ENDINGS = frozenset({".log", ".part"})
_DIGITS = 64


def write_checksums(folder: Path) -> None:
    """Writes a line for every file of a folder and the folders in it.

    Raises:
        OSError: a file cannot be read, or the list not be written.
    """
    lines = [_line(_sha256(path), path.relative_to(folder).as_posix()) for path in sorted(_files(folder))]
    write_whole(folder / CHECKSUMS, "".join(lines).encode())


def changed(folder: Path) -> tuple[str, ...]:
    """A line for each file that is not what it was when the list was written; files that came later are not looked at.

    Raises:
        PreflightError: there is no list, or it cannot be read.
        DataError: a line of it is none.
    """
    found = ((name, _difference(folder / name, wanted)) for wanted, name in _listed(folder / CHECKSUMS))
    return tuple(f"{name}: {difference}" for name, difference in found if difference)


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.suffix not in _ENDINGS and path.name not in _LEFT_OUT:
            yield path


def _line(digest: str, name: str) -> str:
    """A name with a backslash or a line's end is written as coreutils do, with a backslash before the hash."""
    spelled = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{chr(92) if spelled != name else ''}{digest}  {spelled}\n"


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as failure:
        advice = "only runs with checksums=true have one"
        raise PreflightError(f"{path} cannot be read: {failure}", advice) from failure
    for number, line in enumerate(lines, 1):
        digest, gap, name = line.removeprefix("\\").partition("  ")
        if not gap or len(digest) != _DIGITS:
            raise DataError(path, f"not a hash and a name: {line[:80]!r}", number)
        yield digest, _plain(name) if line.startswith("\\") else name


def _plain(name: str) -> str:
    return "\\".join(part.replace("\\n", "\n").replace("\\r", "\r") for part in name.split("\\\\"))


def _difference(path: Path, wanted: str) -> str:
    if not path.is_file():
        return "is missing"
    return "" if _sha256(path) == wanted else "is not what it was"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
