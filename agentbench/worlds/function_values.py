"""Values for the questions of the embedded function-calling set, and how they are said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

_WORDS = {
    name: words.split(" | ")
    for name, words in (
        line.split(": ", 1) for line in Path(__file__).with_name("function_words.txt").read_text("utf-8").splitlines()
    )
}

Draw = Callable[[Random], Any]


def _several(draw: Draw, fewest: int = 2, most: int = 3) -> Draw:
    return lambda rng: list(dict.fromkeys(draw(rng) for _ in range(rng.randint(fewest, most))))


def _one_of(values: Sequence[Any]) -> Draw:
    return lambda rng: rng.choice(values)


def _word(kind: str) -> Draw:
    return _one_of(_WORDS[kind])


def _person(rng: Random) -> str:
    return f"{rng.choice(_WORDS['first_names'])} {rng.choice(_WORDS['last_names'])}"


def _code(rng: Random) -> str:
    return f"{rng.choice('ABCDEFGH')}{rng.choice('KLMNPRST')}{rng.randint(1000, 9999)}"


POOLS: Mapping[str, Draw] = {
    "city": _word("cities"),
    "person": _person,
    "people": _several(_person),
    "restaurant": lambda rng: f"{rng.choice(_WORDS['adjectives'])} {rng.choice(_WORDS['places'])}",
    "errand": lambda rng: f"{rng.choice(_WORDS['verbs'])} {rng.choice(_WORDS['things'])}",
    "word": _word("words"),
    "words": _several(_word("words")),
    "dish": _word("dishes"),
    "dishes": _several(_word("dishes")),
    "reason": _word("reasons"),
    "room": _word("rooms"),
    "currency": _word("currencies"),
    "language": _word("languages"),
    "units": _one_of(["metric", "imperial"]),
    "cabin": _one_of(["economy", "business"]),
    "yes": _one_of([True]),
    "few": lambda rng: rng.randint(2, 9),
    "whole": lambda rng: rng.randint(11, 99),
    "wholes": _several(lambda rng: rng.randint(11, 99), 3, 4),
    "large": lambda rng: 1000 * rng.randint(5, 400),
    "money": lambda rng: rng.randint(20, 999) + rng.choice([0.0, 0.5]),
    "numbers": _several(lambda rng: rng.randint(11, 99) + rng.choice([0.0, 0.5]), 3, 4),
    "rate": lambda rng: rng.randint(10, 79) / 10,
    "degrees": lambda rng: rng.randint(15, 24) + rng.choice([0.0, 0.5]),
    "date": lambda rng: f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
    "time": lambda rng: f"{rng.randint(8, 21):02}:{rng.choice([0, 15, 30, 45]):02}",
    "symbol": lambda rng: "".join(rng.choice("ABCDEFGHKLMNPRSTV") for _ in range(4)),
    "code": _code,
}
"""What draws a value, by the name of its pool."""


def spoken(value: Any) -> str:
    """A value as people write it in a sentence."""
    match value:
        case list():
            *before, last = map(spoken, value)
            return f"{', '.join(before)} and {last}" if before else last
        case float():
            return f"{value:g}"
    return str(value)
