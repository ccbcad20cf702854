"""From a composed configuration to typed values, with every broken rule in one error.

Each top-level part is validated on its own, so that one broken part hides nothing in the others and rules between
parts (`rules.py`) are still asked of those that are valid.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from agentbench.config.keys import known_keys, leaves
from agentbench.config.rules import broken_rules
from agentbench.config.secrets import redacted, secret_problems
from agentbench.config.suggest import did_you_mean
from agentbench.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from pydantic_core import ErrorDetails

T = TypeVar("T")

_TAGS = ("kind", "transport")
"""Keys that tell the members of a union apart."""


def load(config: DictConfig | Mapping[str, Any], schema: type[T]) -> T:
    """The configuration as an instance of a schema dataclass.

    Raises:
        ConfigError: with one line per problem, each beginning with its dotted key: unknown keys, missing or wrong
            values, interpolations that lead nowhere, contradictions between parts, and secrets.
    """
    plain = _resolved(config)
    secret = secret_problems(leaves(plain.values))
    parts = _validated(plain.values, schema)
    unusable = _unusable_texts(plain.values)
    problems = _first_per_key([*plain.problems, *secret, *unusable, *parts.problems, *broken_rules(parts.values)])
    if problems:
        raise ConfigError([redacted(problem) for problem in problems])
    return schema(**parts.values)


MOST_PATH_BYTES, MOST_NAME_BYTES = 4095, 255
"""Longest path, and longest name in one, that file systems take."""


def _unusable_texts(values: dict[str, Any]) -> list[str]:
    """A line for every text that the system takes for no path, or for no text at all."""
    found = [(key, value) for key, value in leaves(values) if isinstance(value, str | Path)]
    return [f"{key}: {problem}" for key, value in found if (problem := _problem_of_text(str(value), key))]


def _problem_of_text(text: str, key: str) -> str:
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return f"holds half a character (a surrogate): {text[:40]!r}"
    if b"\0" in encoded:
        return f"holds a NUL: {text[:40]!r}"
    names_file = key.rpartition(".")[2] in _NAMES_OF_FILES or key.rpartition(".")[2].endswith(("_dir", "_path"))
    longest = max(map(len, encoded.split(b"/")))
    if names_file and (len(encoded) > MOST_PATH_BYTES or longest > MOST_NAME_BYTES):
        return f"is too long for a path: {text[:40]!r} … ({len(encoded):,} bytes)"
    return ""


_NAMES_OF_FILES = ("path", "adapter", "file", "folder", "root", "python", "database", "documents", "resume", "run")


class _Judged(NamedTuple):
    """What is right, and a line for everything that is not."""

    values: dict[str, Any]
    problems: list[str]


def _first_per_key(problems: list[str]) -> list[str]:
    return list({problem.split(": ", 1)[0]: problem for problem in reversed(problems)}.values())[::-1]


def _resolved(config: DictConfig | Mapping[str, Any]) -> _Judged:
    """Plain values with interpolations resolved and `???` left out."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    problems: list[str] = []
    try:
        tree = config if OmegaConf.is_config(config) else OmegaConf.create(dict(config))
    except (OmegaConfBaseException, RecursionError) as error:
        raise ConfigError([f"the configuration cannot be read: {str(error).splitlines()[0]}"]) from error
    return _Judged(_plain(tree, "", problems), problems)


def _plain(node: object, path: str, problems: list[str]) -> Any:
    from omegaconf import DictConfig, ListConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if not isinstance(node, DictConfig | ListConfig):
        return node
    values: dict[Any, Any] = {}
    keys: list[Any] = list(node.keys()) if isinstance(node, DictConfig) else list(range(len(node)))
    for key in keys:
        place = f"{path}.{key}" if path else str(key)
        try:
            if not OmegaConf.is_missing(node, key):
                values[key] = _plain(node[key], place, problems)
        except OmegaConfBaseException as error:
            problems.append(f"{place}: {str(error).splitlines()[0]}")
    return values if isinstance(node, DictConfig) else list(values.values())


def _validated(data: dict[str, Any], schema: type) -> _Judged:
    """The valid parts."""
    parts: dict[str, Any] = {}
    problems: list[str] = []
    hints = typing.get_type_hints(schema, include_extras=True)
    known = [field.name for field in dataclasses.fields(schema)]
    for field in dataclasses.fields(schema):
        default = field.default
        if field.name not in data and default is dataclasses.MISSING:
            problems.append(f"{field.name}: required, e.g. {field.name}=…")
            continue
        try:
            parts[field.name] = TypeAdapter(hints[field.name]).validate_python(data.get(field.name, default))
        except ValidationError as error:
            problems += [_line(schema, data, field.name, details) for details in error.errors()]
    unknown = [key for key in data if key not in known]
    return _Judged(parts, problems + [_unknown(schema, data, str(key)) for key in unknown])


def _line(schema: type, data: dict[str, Any], name: str, error: ErrorDetails) -> str:
    key = _dotted(data, (name, *error["loc"]))
    value = error["input"]
    if value is None:
        return f"{key}: required, e.g. {key}=…"
    match error["type"]:
        case "unexpected_keyword_argument":
            return _unknown(schema, data, key)
        case "missing":
            return f"{key}: required, e.g. {key}=…"
        case "union_tag_invalid" | "enum" | "literal_error":
            return _wrong_choice(key, error)
        case "union_tag_not_found":
            tag = error["ctx"]["discriminator"].strip("'") if "ctx" in error else "kind"
            return f"{key}.{tag}: required, it says which kind of {key} is meant"
        case "tuple_type":
            advice = f"; write {key}=[{value}]" if isinstance(value, str) else ""
            return f"{key}: must be a list, got {_shown(value)}{advice}"
        case "string_type" if isinstance(value, int | float):
            return f"""{key}: must be text, got {value!r}; quote it: {key}="'{value}'\""""
        case "dataclass_type" | "model_attributes_type":
            return f"{key}: must be a group of keys ({key}.…=), got {_shown(value)}"
        case _:
            demand = error["msg"].replace("Input should be", "must be").split(", ")[0]
            return f"{key}: {demand[0].lower()}{demand[1:]}, got {_shown(value)}"


def _shown(value: object) -> str:
    return "null" if value is None else repr(value)


def _dotted(data: dict[str, Any], location: tuple[int | str, ...]) -> str:
    """The key as the user writes it: without the union tags that pydantic puts between."""
    node: Any = data
    parts: list[str] = []
    for part in location:
        if isinstance(node, Mapping) and part not in node and part in (node.get(tag) for tag in _TAGS):
            continue
        parts.append(str(part))
        match node:
            case Mapping() if part in node:
                node = node[part]
            case list() if isinstance(part, int):
                node = node[part]
            case _:
                node = None
    return ".".join(parts)


def _wrong_choice(key: str, error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    tagged = error["type"] == "union_tag_invalid"
    value = context["tag"] if tagged else error["input"]
    choices = re.findall(r"'([^']*)'", context["expected_tags" if tagged else "expected"])
    tag = context["discriminator"].strip("'") if tagged else ""
    place = f"{key}.{tag}" if tag and tag != "kind" else key  # a kind is chosen by the group itself: launcher=single
    return f"{place}: {value!r} is none of {', '.join(choices)}{did_you_mean(str(value), choices)}"


def _unknown(schema: type, data: dict[str, Any], key: str) -> str:
    known = list(known_keys(schema))
    elsewhere = sorted({item.choice for item in known if item.path == key and item.choice})
    if elsewhere:
        group = key.split(".")[0]
        chosen = data[group].get("kind") if isinstance(data.get(group), Mapping) else None
        return f"{key}: belongs to {' or '.join(elsewhere)}, not to {group}={chosen}"
    return f"{key}: unknown key{did_you_mean(key, [item.path for item in known])}"
