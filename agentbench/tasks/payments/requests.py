"""Requests drawn by a seed, no two in the same words."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agentbench.config.tasks import Split
from agentbench.tasks.payments.wording import CLOSINGS, OPENINGS, PATTERNS, PURPOSES, Act, amounts

WITHOUT_PURPOSE = 0.3
"""Share of the requests about a person that say no purpose."""
_DRAWS_PER_REQUEST = 50
"""Draws after which there seem to be no new words left."""


class PaymentRequest(NamedTuple):
    """What somebody says, and what is meant by it."""

    text: str
    act: Act
    cents: int
    person: str = ""
    """First and last name of the other one; empty where there is none."""
    purpose: str = ""
    """In the request's own words; empty where none is said."""
    pattern: str = ""

    @property
    def amount(self) -> float:
        """In dollars."""
        return self.cents / 100


def payment_requests(count: int, split: Split, people: Sequence[str], seed: int) -> tuple[PaymentRequest, ...]:
    """So many different requests, fewer where the words run out; the same seed gives the same ones.

    People are named by their first name alone now and then, so no two of them may share it.
    """
    rng = random.Random(f"{seed}/{split.value}")
    found: dict[str, PaymentRequest] = {}
    for request in _endless(rng, split, people, count * _DRAWS_PER_REQUEST):
        found.setdefault(request.text.casefold(), request)
        if len(found) >= count:
            break
    return tuple(found.values())[:count]


def _endless(rng: random.Random, split: Split, people: Sequence[str], draws: int) -> Iterator[PaymentRequest]:
    acts = [(act, pattern) for act, patterns in PATTERNS.items() for pattern in patterns[split]]
    for _ in range(draws):
        act, pattern = rng.choice(acts)
        yield drawn(rng, act, pattern, people)


def drawn(rng: random.Random, act: Act, pattern: str, people: Sequence[str]) -> PaymentRequest:
    """One request in the words of a pattern."""
    cents = _cents(rng)
    person = "" if act is Act.ADD else rng.choice(people)
    purpose = "" if act is Act.ADD or rng.random() < WITHOUT_PURPOSE else rng.choice(PURPOSES)
    who = person if rng.random() < 0.5 else person.split(" ")[0]
    why = f" for {purpose}" if purpose else ""
    said = pattern.format(who=who, how_much=rng.choice(amounts(cents)), why=why)
    opening, closing = rng.choice(OPENINGS), rng.choice(CLOSINGS)
    if closing and said.endswith("?"):
        closing = ""
    sentence = f"{opening}{said}{closing}"
    text = sentence[0].upper() + sentence[1:] if rng.random() < 0.6 else sentence
    return PaymentRequest(text, act, cents, person, purpose, pattern)


def _cents(rng: random.Random) -> int:
    """From 2 to 250 dollars: mostly whole, some with halves and quarters, some with any cents."""
    whole = rng.randrange(2, 250) * 100
    return whole + rng.choices((0, 50, 25, 75, rng.randrange(1, 100)), weights=(6, 2, 1, 1, 2))[0]
