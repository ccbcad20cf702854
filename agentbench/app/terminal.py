"""Untrusted text made harmless for a terminal.

Names of tasks, tools and models, keys of files and words of models come to the console in tables and in messages.
A terminal obeys some of their characters: they could hide lines, change its title, or type for the user.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

_KEPT = frozenset("\n\t")
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode categories that a terminal obeys instead of showing: controls, reordering, halves of surrogate pairs …"""


def plain(text: str, longest: int | None = None) -> str:
    """The text with everything written out that a terminal would obey: `\\x1b`, `\\u202e`; cut to `longest` characters.

    Markup of rich's is not touched: hand the text on as `rich.text.Text`, or to a console without markup.
    """
    shown = text if text.isascii() and text.isprintable() else "".join(map(_shown, text))
    return shown if longest is None or len(shown) <= longest else f"{shown[:longest]} … ({len(shown):,} characters)"


def one_line(text: str, longest: int) -> str:
    """As `plain`, in one line."""
    return plain(" ".join(text.split()), longest)


class Harmless:
    """Anything rich can show, with all its text as `plain` has it; its styles stay."""

    def __init__(self, shown: RenderableType) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        for part in console.render(self._shown, options):
            yield part if part.control else Segment(plain(part.text), part.style)


def _shown(char: str) -> str:
    return char if char in _KEPT or unicodedata.category(char) not in _HIDDEN else _written(char)


def _written(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
