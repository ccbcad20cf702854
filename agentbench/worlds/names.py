"""Identifiers of a user's schema as names for tools and as words for questions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

MOST_CHARACTERS = 40
"""Longest name made here; tool names, which hold two or three of them, may have 64."""


def slug(identifier: str, instead: str = "column") -> str:
    """Lower-case letters, digits and single underscores, beginning with a letter: `Unit Price (€)` → `unit_price`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier)
    plain = unicodedata.normalize("NFKD", spaced.casefold()).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:MOST_CHARACTERS].strip("_")
    if not name:
        return instead
    return name if name[0].isalpha() else f"{instead}_{name}"


def free(name: str, taken: Collection[str]) -> str:
    """The name, with a number behind it where it is taken."""
    number, candidate = 2, name
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def noun(name: str) -> str:
    """A slug as words: `unit_price` → `unit price`."""
    return name.replace("_", " ")


def singular(plural: str) -> str:
    """A plural noun's singular, by its ending: `order_items` → `order_item`; other nouns stay as they are."""
    if plural.endswith(_SAME):
        return plural
    if plural.endswith("ies") and len(plural) > 4:
        return plural[:-3] + "y"
    if plural.endswith(("sses", "shes", "ches", "xes", "zes")):
        return plural[:-2]
    if plural.endswith("s") and not plural.endswith(("ss", "us", "is")):
        return plural[:-1]
    return plural


_SAME = ("series", "species", "news")
"""Nouns whose plural is their singular."""


def plural(singular: str) -> str:
    """A singular noun's plural, by its ending."""
    if singular.endswith(_SAME):
        return singular
    if singular.endswith("y") and singular[-2:-1] not in "aeiou":
        return singular[:-1] + "ies"
    return singular + "es" if singular.endswith(("s", "x", "ch", "sh")) else singular + "s"
