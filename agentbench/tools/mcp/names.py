"""Names that model servers accept, for tools whose servers may call them anything."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

LONGEST_NAME = 64
"""Most characters a tool's name may have with the usual model servers."""

_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")
_DIGEST_CHARS = 8


class Listed(NamedTuple):
    """A tool as its server calls it."""

    server: str
    tool: str


def legal_names(listed: Sequence[Listed]) -> tuple[str, ...]:
    """A name for each tool: unique, at most 64 characters, of letters, digits, `_` and `-` only.

    It is the server's own where that will do, after `<server>_` where there is more than one server. Other characters
    become `_`; a name that is too long, or that two tools would share, ends in a digest of server and tool. A name
    hangs on the tool list alone, not on its order: gold that names tools stays right.
    """
    several = len({server for server, _ in listed}) > 1
    plain = [_ILLEGAL.sub("_", f"{server}_{tool}" if several else tool) for server, tool in listed]
    wanted = Counter(plain)
    return tuple(
        name if 0 < len(name) <= LONGEST_NAME and wanted[name] == 1 else _with_digest(name, tool)
        for name, tool in zip(plain, listed, strict=True)
    )


def _with_digest(name: str, tool: Listed) -> str:
    digest = hashlib.sha256(f"{tool.server}\0{tool.tool}".encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{name[: LONGEST_NAME - _DIGEST_CHARS - 1]}_{digest}"
