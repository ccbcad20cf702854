"""Untrusted text for rich; what is harmless for a terminal stands in `app.terminal`."""

from __future__ import annotations

from rich.text import Text

from agentbench.app.terminal import one_line, plain

__all__ = ["harmless", "one_line", "plain"]


def harmless(text: str, style: str = "", longest: int | None = None) -> Text:
    """As `plain`, for rich to print as it is."""
    return Text(plain(text, longest), style=style)
