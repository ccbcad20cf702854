"""Search in a small collection of short texts that comes along: no network, the same results for everybody.

Ranked by BM25 (Robertson & Zaragoza 2009, equation 3.15) over words as they are written; no stemming.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

TEXTS = Path(__file__).parent / "search_texts.txt"
"""One text per line: `title | text`."""
_K1, _B = 1.2, 0.75
_WORD = re.compile(r"\w+")


class Text(NamedTuple):
    """One text of the collection."""

    title: str
    text: str
    words: Counter[str]


def search(query: str, top_k: int = 3) -> dict[str, Any]:
    """The texts that fit a query best, as `results`; none where no word occurs in any."""
    scored = [(_score(query, each), each) for each in texts()]
    best = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: (-pair[0], pair[1].title))
    return {"results": [{"title": each.title, "text": each.text} for _, each in best[:top_k]]}


@cache
def texts() -> tuple[Text, ...]:
    """The whole collection."""
    lines = TEXTS.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" | ", 1) for line in lines if line.strip())
    return tuple(Text(title, text, Counter(_words(f"{title} {text}"))) for title, text in pairs)


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _score(query: str, found: Text) -> float:
    mean = sum(each.words.total() for each in texts()) / len(texts())
    damping = _K1 * (1 - _B + _B * found.words.total() / mean)
    counts = ((word, found.words[word]) for word in dict.fromkeys(_words(query)))
    return sum(_rarity(word) * count * (_K1 + 1) / (count + damping) for word, count in counts if count)


@cache
def _rarity(word: str) -> float:
    holding = sum(word in each.words for each in texts())
    return math.log(1 + (len(texts()) - holding + 0.5) / (holding + 0.5))
