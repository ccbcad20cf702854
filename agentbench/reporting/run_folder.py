"""A finished run as its folder tells it: what was asked for, what was played, what it cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentbench.app.record import read_record
from agentbench.config import load
from agentbench.config.entry import EvalConfig, RolloutConfig
from agentbench.config.yaml_text import read_yaml
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.errors import ConfigError, DataError, PreflightError
from agentbench.reporting.facts import EpisodeFacts, facts
from agentbench.types import Trajectory

BASELINES = "baselines"
"""Folder of the baselines' own run folders, in a run's folder."""
_SCHEMAS = {"rollout": RolloutConfig, "eval": EvalConfig}


class Run(NamedTuple):
    """A run of episodes."""

    folder: Path
    record: Mapping[str, Any]
    """`run.json`."""
    config: RolloutConfig
    """What its episodes were played and scored with: of one that scored an earlier run again, that run's settings
    with its own scorer and judge."""

    def trajectories(self) -> Iterator[Trajectory]:
        """Its episodes, one in memory at a time.

        Raises:
            PreflightError, DataError: they are missing or cannot be read.
        """
        return read_trajectories(self.folder / TRAJECTORIES)

    def facts(self) -> list[EpisodeFacts]:
        """The facts of all its episodes."""
        return [facts(trajectory, self.config.prices) for trajectory in self.trajectories()]

    def baselines(self) -> dict[str, list[EpisodeFacts]]:
        """The facts of the baselines that were played beside it, by name."""
        paths = sorted((self.folder / BASELINES).glob(f"*/{TRAJECTORIES}"), reverse=True)
        return {path.parent.name: [facts(each, {}) for each in read_trajectories(path)] for path in paths}


def read_run(folder: Path) -> Run:
    """The run in a folder.

    Raises:
        PreflightError: there is no run of episodes.
        DataError: its configuration cannot be read, or is of another version of agentbench.
    """
    if not (folder / TRAJECTORIES).is_file():
        raise _no_run(folder)
    record = read_record(folder)
    if record is None or record["entry"] not in _SCHEMAS:
        problem = f"no rollout and no evaluation in {str(folder)!r}: run.json does not tell of one"
        raise PreflightError(problem, "name the folder that rollout or eval wrote")
    config = _config(folder, _SCHEMAS[record["entry"]])
    if isinstance(config, EvalConfig) and config.regrade is not None:
        played = read_run(config.regrade).config
        config = dataclasses.replace(played, scorer=config.scorer, judge=config.judge)
    return Run(folder, record, config)


def read_labels(path: Path) -> dict[tuple[str, int], bool]:
    """Whether episodes were solved, from a file with `{"task": id, "sample": 0, "solved": true}` per line.

    Raises:
        PreflightError: it is not there.
        DataError: a line is something else.
    """
    found: dict[tuple[str, int], bool] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as failure:
        raise PreflightError(f"labels={str(path)!r} cannot be read: {failure.strerror}", _LABEL) from failure
    for number, line in enumerate(lines, 1):
        match _json(line):
            case {"task": str(task), "solved": bool(solved), "sample": int(sample)}:
                found[task, sample] = solved
            case {"task": str(task), "solved": bool(solved), **rest} if not rest:
                found[task, 0] = solved
            case _:
                raise DataError(path, f"not a label: {line[:80].decode(errors='replace')!r}", number, _LABEL)
    return found


def _no_run(folder: Path) -> PreflightError:
    """What is there instead, and which runs lie below it."""
    if not folder.is_dir():
        return PreflightError(f"there is no folder {str(folder)!r}", "name a run's folder, as outputs/eval/<time>")
    below = sorted(folder.glob(f"*/**/{TRAJECTORIES}"), key=lambda path: len(path.parts))[:_SHOWN]
    known = ", ".join(str(path.parent) for path in below)
    advice = f"name one of the runs below it: {known} …" if known else "name a run's folder, as outputs/eval/<time>"
    return PreflightError(f"no run of episodes in {str(folder)!r}: {TRAJECTORIES} is missing", advice)


_SHOWN = 3
"""Most runs in one message."""
_LABEL = """write {"task": "films-1", "sample": 0, "solved": true}"""


def _json(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _config(folder: Path, schema: type[RolloutConfig]) -> RolloutConfig:
    path = folder / ".hydra" / "config.yaml"
    try:
        return load(_mapping(path), schema)
    except OSError as failure:
        raise PreflightError(f"{path} cannot be read: {failure.strerror}") from failure
    except ConfigError as error:
        raise DataError(path, f"written by another version: {error.problems[0]}", next_step=_OTHER_VERSION) from error


def _mapping(path: Path) -> dict[str, Any]:
    try:
        found = read_yaml(path.read_bytes())
    except ValueError as error:
        raise DataError(path, f"cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise DataError(path, "holds no configuration")
    return found


_OTHER_VERSION = "run it with this version, or look at it with the commit that run.json names"
