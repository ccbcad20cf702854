"""Keeps secrets out of what runs write: configuration, records, logs, messages; run folders are shared.

Configuration may hold none: names that speak of a secret, values with the prefixes of known kinds of keys (`sk-`,
`hf_`, `ghp_` …) and users or passwords in URLs are refused. Any other secret under an innocent name is not recognised.

Texts are blotted out where they leave the process. Known values are found wherever they stand, whole or as URLs and
JSON spell them: those of variables whose names speak of a secret, and every key that was read to be sent (`hide`). A
value that nobody named is found only if it looks like a key, or stands where one does: behind `Bearer`, `password=` …
What models and tools say to each other is not touched but for known values in the text of a failure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote

_NAME = re.compile(r"(?:.*_)?(?:api_?key|password|passwd|secret(?:_key)?|credentials?|token)", re.IGNORECASE)
_VALUE = re.compile(r"(?<![\w-])(?:sk-[\w-]{6,}|(?:hf|ghp|gho)_[A-Za-z0-9]{8,}|wandb_v\d_\w{8,})(?![\w/-])")
_IN_URL = re.compile(r"://[^/\s]+@")
_SENT = re.compile(r"(\b(?:bearer|basic|apikey)\s+)[\w.~+/=-]{6,}", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"(\b(?:\w+[-_])?(?:api[-_ ]?key|password|passwd|secret|(?:access|auth|api|hf)[-_]?token)[\"']?\s*[:=]\s*[\"']?)"
    r"[^\s\"',;&]+",
    re.IGNORECASE,
)

SHORTEST = 6
"""Fewest characters of a secret; blotting out shorter values would riddle ordinary text."""


_known: list[str] = []
"""Values that were read in this process to be sent somewhere, in all spellings, the longest first."""


def hide(*values: str) -> None:
    """From now on the values are blotted out wherever texts leave this process; short ones are left alone."""
    for value in values:
        if len(value) >= SHORTEST:
            spellings = {value, quote(value, safe=""), json.dumps(value)[1:-1]}
            _known.extend(spellings.difference(_known))
    _known.sort(key=len, reverse=True)


def without_known(text: str) -> str:
    """The text with the values that `hide` was told of blotted out."""
    for value in _known:
        text = text.replace(value, "…")
    return text


def redacted(text: str) -> str:
    """The same, and everything that looks like a key or a URL's password."""
    return _IN_URL.sub("://…@", _VALUE.sub("…", without_known(text)))


def redacted_message(text: str) -> str:
    """The same, and whatever stands where a secret does: behind `Bearer` and `Basic`, `api_key=`, `"password":` …"""
    return _ASSIGNED.sub(r"\1…", _SENT.sub(r"\1…", redacted(text)))


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
