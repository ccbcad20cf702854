"""Names of the tools that are made from columns."""

from __future__ import annotations

import re

MAX_NAME_CHARS = 64
"""Longest tool name that model servers accept."""


def getter_name(column: str) -> str:
    """`get_<column>s`, whatever the plural would be; what a tool's name cannot hold is replaced or cut."""
    slug = re.sub(r"[^a-zA-Z0-9]+", "_", column).strip("_")
    return f"get_{(slug or column.encode().hex())[: MAX_NAME_CHARS - 5]}s"
