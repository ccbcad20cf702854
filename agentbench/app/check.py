"""Composes and judges every run of a command line before the first one starts.

All problems of all runs come in one error: what is no override, no option, no key, or no valid value. Nothing is
written and nothing heavy is imported for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from agentbench.app.command_line import CommandLine
from agentbench.app.groups import CONF, groups
from agentbench.app.overrides import Assignment, Reading, read_overrides
from agentbench.config import load
from agentbench.config.secrets import redacted
from agentbench.errors import ConfigError

_NOT_COMPOSED = (HydraException, OmegaConfBaseException, yaml.YAMLError)


class Plan(NamedTuple):
    """A command line that is right."""

    overrides: tuple[str, ...]
    """What Hydra is to get."""
    sweep: bool
    folder: Path
    """Where the run writes, or the whole sweep; not made yet."""
    config: Any
    """The first run's configuration, an instance of the entry's schema."""


class _Composer(NamedTuple):
    """Composes one entry point's configuration, options of the user's own folder included."""

    entry: str
    config_dir: Path | None

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The configuration with Hydra's own part under `hydra`.

        Raises:
            HydraException, OmegaConfBaseException, yaml.YAMLError: it cannot be composed.
        """
        search = [] if self.config_dir is None else [f"hydra.searchpath=['file://{CONF}']"]
        main = CONF if self.config_dir is None else self.config_dir.absolute()
        with initialize_config_dir(str(main), job_name=self.entry, version_base="1.3"):
            return compose(self.entry, [*search, *overrides], return_hydra_config=True)


def check(entry: str, schema: type, line: CommandLine) -> Plan:
    """What a command line asks for.

    Raises:
        ConfigError: with a line for every problem.
    """
    folders = [CONF] if line.config_dir is None else [CONF, line.config_dir]
    composer = _Composer(entry, line.config_dir)
    reading = read_overrides(line.overrides, groups(entry, folders))
    assignments, problems = reading.assignments, list(reading.problems)
    try:
        composed = _compose_all(composer, assignments)
    except _NOT_COMPOSED:
        assignments, faults = _composable(composer, assignments)
        problems += faults
        composed = _compose_all(composer, assignments)
    sweep = line.multirun or composed[0].hydra.mode is RunMode.MULTIRUN
    problems += [] if sweep else [_needs_multirun(assignment) for assignment in assignments if assignment.sweeps]
    configs = []
    for tree in composed:
        try:
            configs.append(load(_without_hydra(tree), schema))
        except ConfigError as error:
            problems += [problem for problem in error.problems if not _below(problem, reading.unknown_choices)]
    if problems:
        raise ConfigError([redacted(problem) for problem in dict.fromkeys(problems)])
    folder = composed[0].hydra.sweep.dir if sweep else composed[0].hydra.run.dir
    return Plan(tuple(assignment.text for assignment in assignments), sweep, Path(folder), configs[0])


def _compose_all(composer: _Composer, assignments: Sequence[Assignment]) -> list[DictConfig]:
    combinations = itertools.product(*(assignment.values for assignment in assignments))
    return [composer.compose(combination) for combination in combinations]


def _composable(composer: _Composer, assignments: Sequence[Assignment]) -> tuple[list[Assignment], list[str]]:
    """The assignments that compose together, and a line for each of the others."""
    try:
        composer.compose(())
    except _NOT_COMPOSED as error:
        raise ConfigError([f"conf/{composer.entry}.yaml: {_one_line(error)}"]) from error
    kept: list[Assignment] = []
    faults: list[str] = []
    for assignment in assignments:
        try:
            _compose_all(composer, [*kept, assignment])
            kept.append(assignment)
        except _NOT_COMPOSED as error:
            faults.append(f"{assignment.text.removeprefix('++')}: {_one_line(error)}")
    return kept, faults


def _one_line(error: Exception) -> str:
    text = str(error) or str(error.__cause__)
    return " ".join(text.split("\nConfig search path")[0].split())


def _without_hydra(tree: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(tree, [key for key in tree if key != "hydra"])


def _needs_multirun(assignment: Assignment) -> str:
    key, _, values = assignment.text.removeprefix("++").partition("=")
    return f"{key}: several values ({values}); add -m for one run each, or write a list as {key}=[{values}]"


def _below(problem: str, keys: Sequence[str]) -> bool:
    return problem.startswith(tuple(f"{key}{end}" for key in keys for end in (".", ":")))
