"""May two runs be called comparable? Only if they were asked the same, in the same environment, and judged alike.

What an agent is (model, template, sampling, expert) may differ: that is what comparisons are about. So may seed and
samples, and what changes only how fast a run goes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.config.entry import RolloutConfig
from agentbench.config.keys import leaves
from agentbench.errors import ConfigError

FIXED = ("env", "retriever", "scorer", "judge")
"""Parts of the configuration that make runs incomparable where they differ; tasks are compared as they were played."""
_HARMLESS = frozenset({"timeout_s", "max_retries", "down_timeout_s", "max_connections", "cache", "api_key_env"})
_LIST_INDEX = re.compile(r"\.\d+$")
_SHOWN = 3
"""Most task ids in one message."""


class Setting(NamedTuple):
    """What a run was asked and how, as far as comparisons depend on it."""

    name: str
    config: RolloutConfig
    tasks: Mapping[str, str]
    """Hash of each task, by id."""
    worlds: Mapping[str, str]
    """Hash of each world, by name; empty where it was not recorded."""


def world_hashes(record: Mapping[str, Any]) -> dict[str, str]:
    """Those that a run's `run.json` tells."""
    inputs = record.get("inputs", {})
    return {key: found["sha256"] for key, found in inputs.items() if key.startswith("worlds.")}


def refuse_incomparable(settings: Sequence[Setting], allow: Sequence[str]) -> None:
    """Lets runs pass that may be compared with the first one.

    Raises:
        ConfigError: they may not; with a line for every key in which they differ.
    """
    reference = settings[0]
    problems = [line for other in settings[1:] for line in _differences(reference, other, allow)]
    if problems:
        keys = ",".join(dict.fromkeys(line.split(":")[0] for line in problems))
        advice = f"if that is what is to be compared: allow=[{keys}]"
        raise ConfigError([f"{line} – not comparable" for line in dict.fromkeys(problems)], advice)


def differing_settings(configs: Sequence[RolloutConfig]) -> dict[str, list[Any]]:
    """Keys of the agent and its tasks that differ between runs, whether they may or not, with the value of each run."""
    flat = [dict(leaves(dataclasses.asdict(config))) for config in configs]
    keys = dict.fromkeys(key for values in flat for key in values if key.split(".")[0] not in _OF_THE_RUN)
    told = {key: [values.get(key) for values in flat] for key in keys}
    return {key: values for key, values in told.items() if any(value != values[0] for value in values)}


_OF_THE_RUN = frozenset(
    {"concurrency", "episode_timeout_s", "max_failures", "resume", "cache_dir", "export", "tracker"}
    | {"baselines", "compare", "allow", "regrade", "labels", "predictions"}
)


def _differences(first: Setting, second: Setting, allow: Sequence[str]) -> Iterator[str]:
    ours, theirs = _fixed(first.config), _fixed(second.config)
    for key in dict.fromkeys([*ours, *theirs]):
        if ours.get(key) != theirs.get(key) and not _allowed(key, allow):
            yield f"{key}: {_value(ours, key)} in {first.name}, {_value(theirs, key)} in {second.name}"
    for name in first.worlds.keys() & second.worlds.keys():
        if first.worlds[name] != second.worlds[name] and not _allowed("env.worlds", allow):
            world = name.removeprefix("worlds.")
            yield f"env.worlds: {world} holds something else in {second.name} than in {first.name}"
    if not _allowed("tasks", allow):
        yield from _task_differences(first, second)


def _task_differences(first: Setting, second: Setting) -> Iterator[str]:
    only_first = sorted(first.tasks.keys() - second.tasks.keys())
    only_second = sorted(second.tasks.keys() - first.tasks.keys())
    changed = sorted(id for id in first.tasks.keys() & second.tasks.keys() if first.tasks[id] != second.tasks[id])
    if only_first or only_second:
        yield (
            f"tasks: {len(only_first)} only in {first.name}{_some(only_first)},"
            f" {len(only_second)} only in {second.name}{_some(only_second)}"
        )
    elif changed:
        yield f"tasks: {len(changed)} ask or hold right something else in {second.name}{_some(changed)}"


def _fixed(config: RolloutConfig) -> dict[str, list[Any]]:
    """Values by key; a list is one key with several values."""
    values, found = dataclasses.asdict(config), dict[str, list[Any]]()
    for key, value in leaves({part: values[part] for part in FIXED}):
        if key.split(".")[-1] not in _HARMLESS and ".price." not in key:
            found.setdefault(_LIST_INDEX.sub("", key), []).append(str(value) if isinstance(value, Path) else value)
    return found


def _allowed(key: str, allow: Iterable[str]) -> bool:
    return any(key == allowed or key.startswith(f"{allowed}.") for allowed in allow)


def _value(values: Mapping[str, list[Any]], key: str) -> str:
    return ", ".join(map(str, values[key])) if key in values else "not there"


def _some(ids: Sequence[str]) -> str:
    more = ", …" if len(ids) > _SHOWN else ""
    return f" ({', '.join(ids[:_SHOWN])}{more})" if ids else ""
