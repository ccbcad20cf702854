"""From a configuration back to a command line: what a user would type to get it.

Runs that start other runs hand their settings on in this way, so that each command can be read, copied and repeated.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from agentbench.app.check import check
from agentbench.app.command_line import quoted, read_command_line
from agentbench.app.groups import CONF, groups
from agentbench.errors import AgentbenchError

_PLAIN = re.compile(r"(?!(?:null|true|false|nan|inf)$)[A-Za-z_/.][\w./-]*", re.IGNORECASE)
"""Texts that Hydra's grammar reads as themselves."""


def spelled(entry: str, config: Any) -> tuple[str, ...]:
    """The overrides by which an entry point gets this configuration: choices first, then values that differ from those.

    Raises:
        ConfigError: it breaks a rule, with a line for each.
        AgentbenchError: no command line gives it; a bug of ours.
    """
    with _beside_a_run():
        choices = _choices(entry, config)
        overrides = (*choices, *_differences(config, _composed(entry, choices)))
        given = check(entry, type(config), read_command_line(overrides)).config
    if given != config:
        raise AgentbenchError(f"no command line of {entry} gives the configuration {config}")
    return overrides


@contextmanager
def _beside_a_run() -> Iterator[None]:
    """Hydra composes one configuration at a time: that of the run under way is put aside, and back again."""
    held = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = held


def _choices(entry: str, config: Any) -> tuple[str, ...]:
    """Twice, for one option may choose another, as a model does its template: what it chose wrong is put right."""
    chosen: list[str] = []
    for _ in range(2):
        tree = _composed(entry, chosen)
        for name, group in groups(entry).items():
            wanted = str(vars(vars(config)[name])["kind"]) if name in vars(config) else ""
            if wanted in group.options and tree[name].get("kind") != wanted:
                chosen.append(f"{name}={wanted}")
    return tuple(chosen)


def _composed(entry: str, overrides: tuple[str, ...] | list[str]) -> dict[str, Any]:
    """What the files of conf/ say, missing values as `???`."""
    with initialize_config_dir(str(CONF), job_name=entry, version_base="1.3"):
        found = OmegaConf.to_container(compose(entry, list(overrides)), resolve=True)
    return found if isinstance(found, dict) else {}  # type: ignore[return-value]


def _differences(value: Any, known: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Values that are not those that are known without being said."""
    for field in dataclasses.fields(value):
        wanted, key = vars(value)[field.name], f"{prefix}{field.name}"
        given = known.get(field.name, dataclasses.MISSING)
        if dataclasses.is_dataclass(wanted):
            yield from _differences(wanted, _unsaid(field.default, given, wanted), f"{key}.")
            continue
        if given is dataclasses.MISSING and field.name != "kind":
            given = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if given is dataclasses.MISSING or _text(given) != _text(wanted):
            yield f"{key}={_text(wanted)}"


def _unsaid(default: Any, given: Any, wanted: Any) -> dict[str, Any]:
    """What a part holds without being told: its default, where that is of the wanted kind, and what a file says."""
    of_default = vars(default) if type(default) is type(wanted) else {}
    if type(given) is type(wanted):
        return vars(given)
    return {**of_default, **given} if isinstance(given, Mapping) else dict(of_default)


def _text(value: Any) -> str:
    """A value in Hydra's grammar."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str() | Path():
            return str(value) if _PLAIN.fullmatch(str(value)) else quoted(str(value))
        case Mapping():
            return "{" + ",".join(f"{_text(key)}:{_text(each)}" for key, each in value.items()) + "}"
        case tuple() | list():
            return "[" + ",".join(_text(each) for each in value) + "]"
        case _:
            return repr(value)
