"""Near misses: what a mistyped word was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(word: str, options: Iterable[str]) -> str | None:
    """The option most like `word`, or `None` where none is alike."""
    options = list(options)
    same_leaf = [option for option in options if option.rpartition(".")[2] == word.rpartition(".")[2]]
    found = same_leaf if len(same_leaf) == 1 else difflib.get_close_matches(word, options, n=1)
    return found[0] if found else None


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """`, did you mean 'x'?` for the closest option; empty where none is alike."""
    found = closest(word, options)
    return "" if found is None else f", did you mean {found!r}?"
