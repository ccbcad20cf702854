"""Inputs that look like real ones: a seed with some of its JSON values replaced, removed, repeated or wrapped.

Random bytes rarely get past a parser's first line. What is odd here is what files and servers of strangers hold: other
types, numbers that floats or 64 bits cannot hold, halves of surrogate pairs, paths, markers of chat templates.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

MARKERS = (
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<|tool_call|>", "[TOOL_CALLS]", "FINAL:", "CALLS:"),
    *("<|im_end|>", "<|end|>", "<|call|>", "<|arg|>", "<|is|>", "<|json|>", "<|final|>", "</s>", '{"tool_calls": ['),
    *("### Response:", "<response>", "```python\n", "```", "\n\n", "${oc.env:HOME}", "$var_1.handle$", "$ref"),
)
ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        1e308,
        2**63,
        2**64,
        -(2**70),
        10**400,
        "",
        " ",
        "\x00",
        "\ud800",
        "\u202e\x1b[2J",
    ),
    *(
        [],
        {},
        [[]],
        [None],
        {"": None},
        "NaN",
        float("nan"),
        float("inf"),
        "../../etc/passwd",
        "/etc/passwd",
        "a" * 5000,
    ),
    *(
        "SELECT 1; DROP TABLE films",
        '"',
        "'",
        "\\",
        "%",
        "[",
        "{",
        "(((((",
        "a AND OR NOT (",
        "title:* ^9 ~",
        "İ",
        "²",
        "1e999",
    ),
    *MARKERS,
)
"""Values in place of others."""

_DEPTHS = (2, 40, 1100, 20_000)


def mutated(seed: bytes, rng: random.Random, most: int = 1 << 16) -> bytes:
    """A seed, or JSON lines of one, with up to four changes; bytes are changed where it is no JSON."""
    lines = seed.split(b"\n")
    place = rng.randrange(len(lines))
    for text, put in (
        (seed, _whole),
        (lines[place], lambda line: b"\n".join([*lines[:place], line, *lines[place + 1 :]])),
    ):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        for _ in range(rng.randint(1, 4)):
            value = changed(value, rng)
        return put(_written(value, rng))[:most]
    return bytes_changed(seed, rng)[:most]


def bytes_changed(seed: bytes, rng: random.Random) -> bytes:
    """A few stretches replaced, repeated, cut out or put in."""
    made = bytearray(seed)
    for _ in range(rng.randint(1, 6)):
        start = rng.randint(0, len(made))
        end = min(len(made), start + rng.choice((0, 1, 1, 4, 32)))
        made[start:end] = _instead(bytes(made[start:end]), rng)
    return bytes(made)


def _instead(stretch: bytes, rng: random.Random) -> bytes:
    match rng.randrange(4):
        case 0:
            return b""
        case 1:
            return rng.randbytes(rng.randint(1, 4))
        case 2:
            return stretch * 2
        case _:
            return str(rng.choice(ODD))[:64].encode("utf-8", "surrogatepass")


def changed(value: Any, rng: random.Random) -> Any:
    """A JSON value with one place changed."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        return _in_object(value, key, rng)
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        return _in_list(value, place, rng)
    if isinstance(value, str) and rng.random() < 0.6:
        return _in_text(value, rng)
    return rng.choice(ODD)


def _in_object(value: dict[str, Any], key: str, rng: random.Random) -> dict[str, Any]:
    match rng.randrange(8):
        case 0:
            return {name: each for name, each in value.items() if name != key}
        case 1:
            return {**value, str(rng.choice(ODD)): value[key]}
        case 2:
            return {**value, key: rng.choice(ODD)}
        case 3:
            return {**value, key: [value[key]]}
        case _:
            return {**value, key: changed(value[key], rng)}


def _in_list(value: list[Any], place: int, rng: random.Random) -> list[Any]:
    match rng.randrange(7):
        case 0:
            return value[:place] + value[place + 1 :]
        case 1:
            return [*value, value[place]]
        case 2:
            return [*value[:place], rng.choice(ODD), *value[place + 1 :]]
        case _:
            return [*value[:place], changed(value[place], rng), *value[place + 1 :]]


def _in_text(text: str, rng: random.Random) -> str:
    """JSON within a text is changed as JSON; other texts at one place."""
    try:
        inner = json.loads(text)
        if isinstance(inner, dict | list):
            return json.dumps(changed(inner, rng))
    except (ValueError, RecursionError):
        pass
    start = rng.randint(0, len(text))
    return (
        text[:start]
        + str(rng.choice(MARKERS + tuple(str(odd)[:80] for odd in ODD)))
        + text[start + rng.randint(0, 3) :]
    )


def _written(value: Any, rng: random.Random) -> bytes:
    """The value as JSON; now and then deeply nested, with a key twice, a mark in front, or in another encoding."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    form = rng.randrange(40)
    if form == 0:
        depth = rng.choice(_DEPTHS)
        text = "[" * depth + text + "]" * depth
    elif form == 1:
        text = text.replace("{", '{"id": 1, "id": 2, ', 1)
    encodings: dict[int, Callable[[str], bytes]] = {
        2: lambda said: said.encode("utf-8-sig", "surrogatepass"),
        3: lambda said: said.encode("utf-16", "surrogatepass"),
    }
    return encodings.get(form, lambda said: said.encode("utf-8", "surrogatepass"))(text)


def _whole(text: bytes) -> bytes:
    return text
