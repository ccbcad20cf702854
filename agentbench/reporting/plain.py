"""Untrusted text made harmless for a terminal."""

from __future__ import annotations

import unicodedata

from rich.text import Text

_KEPT = frozenset("\n\t")
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode categories that a terminal obeys instead of showing: controls, reordering, halves of surrogate pairs …"""


def plain(text: str, longest: int | None = None) -> str:
    """The text with everything written out that a terminal would obey: `\\x1b`, `\\u202e`; cut to `longest` characters.

    Markup of rich's is not touched: hand the text on as `rich.text.Text`, never as a string.
    """
    shown = "".join(char if char in _KEPT or not _obeyed(char) else _written(char) for char in text)
    return shown if longest is None or len(shown) <= longest else f"{shown[:longest]} … ({len(shown):,} characters)"


def one_line(text: str, longest: int) -> str:
    """As `plain`, in one line."""
    return plain(" ".join(text.split()), longest)


def harmless(text: str, style: str = "", longest: int | None = None) -> Text:
    """As `plain`, for rich to print as it is."""
    return Text(plain(text, longest), style=style)


def _obeyed(char: str) -> bool:
    return unicodedata.category(char) in _HIDDEN


def _written(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
