"""Keeps secrets out of configuration: run folders hold it in full and are shared.

What is looked at: names that speak of a secret, values with the prefixes of OpenAI-like (`sk-`) and Hugging Face
(`hf_`) keys, and users or passwords in URLs. Any other secret under an innocent name is not recognised.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

_NAME = re.compile(r"(?:.*_)?(?:api_?key|password|passwd|secret(?:_key)?|credentials?|token)", re.IGNORECASE)
_VALUE = re.compile(r"(?<![\w-])(?:sk-[\w-]{6,}|hf_[A-Za-z0-9]{8,})(?![\w/-])")
_IN_URL = re.compile(r"://[^/\s]+@")

SHORTEST = 6
"""Fewest characters of a secret; blotting out shorter values would riddle ordinary text."""


def redacted(text: str) -> str:
    """The text with everything that looks like a key or a URL's password blotted out."""
    return _IN_URL.sub("://…@", _VALUE.sub("…", text))


def secret_values(environment: Mapping[str, str | None], named: Collection[str] = ()) -> tuple[str, ...]:
    """What the variables hold that are named, or whose names speak of a secret; the longest first, no short ones."""
    secret = {value for name, value in environment.items() if value and (name in named or names_secret(name))}
    return tuple(sorted((value for value in secret if len(value) >= SHORTEST), key=len, reverse=True))


def secret_problems(values: Iterable[tuple[str, Any]]) -> list[str]:
    """One line for each dotted key that is given a secret; the secret itself is not in the line."""
    return [f"{key}: {advice}" for key, value in values if (advice := _advice(key, value))]


def names_secret(key: str) -> bool:
    """Whether the last part of a dotted key speaks of a secret; `…_env` names a variable and does not."""
    return _NAME.fullmatch(key.rpartition(".")[2]) is not None


def _advice(key: str, value: object) -> str:
    if isinstance(value, str) and _VALUE.search(value):
        return "looks like a secret; put it into .env and give the name of its variable here"
    if isinstance(value, str) and _IN_URL.search(value):
        return "a URL with a user or password in it; leave them out, secrets belong into .env"
    if names_secret(key) and value is not None and str(value):
        return "secrets are no configuration; put it into .env and give the name of its variable as …_env"
    return ""
