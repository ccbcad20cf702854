"""The checksum by which the public benchmark tells whether a list of tools is the one it published.

The algorithm is its own: SHA-256 of the JSON of `[{"inputSchema": …, "name": …}, …]`, tools in the order of their
names, keys sorted, no spaces, everything beyond ASCII escaped. What a tool says of itself is not part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from agentbench.types import ToolSpec


def tool_list_checksum(specs: Iterable[ToolSpec]) -> str:
    """The checksum of a list of tools, as 64 hexadecimal digits; their order has no meaning."""
    listed = [{"name": spec.name, "inputSchema": spec.parameters} for spec in sorted(specs, key=lambda spec: spec.name)]
    return hashlib.sha256(json.dumps(listed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
