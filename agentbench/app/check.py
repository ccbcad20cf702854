"""Composes and judges every run of a command line before the first one starts.

All problems of all runs come in one error: what is no override, no option, no key, or no valid value. Nothing is
written and nothing heavy is imported for it.
"""

from __future__ import annotations

import itertools
import math
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
from agentbench.app.groups import CONF, group_names, groups
from agentbench.app.overrides import MOST_RUNS, Assignment, Reading, read_overrides
from agentbench.app.refusals import was_ctrl_c
from agentbench.config import load
from agentbench.config.secrets import redacted
from agentbench.errors import ConfigError

_EXTRAS = {"hydra/launcher/joblib": "joblib", "hydra/launcher/submitit": "slurm", "hydra/sweeper/optuna": "optuna"}
"""By the beginning of a name that Hydra does not find: the extra of this package that brings it."""

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
    """Composes one entry point's configuration."""

    entry: str
    search_path: tuple[str, ...]

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The configuration with Hydra's own part under `hydra`.

        Raises:
            HydraException, OmegaConfBaseException, yaml.YAMLError: it cannot be composed.
        """
        with initialize_config_dir(str(CONF), job_name=self.entry, version_base="1.3"):
            return compose(self.entry, [*self.search_path, *overrides], return_hydra_config=True)


class _Composed(NamedTuple):
    trees: list[DictConfig]
    """One for each combination of swept values."""
    reading: Reading
    """What they were composed from, and what could not be composed."""


def check(entry: str, schema: type, line: CommandLine) -> Plan:
    """What a command line asks for.

    Raises:
        ConfigError: with a line for every problem.
    """
    folders = [CONF] if line.config_dir is None else [CONF, line.config_dir]
    choices = groups(entry, folders)
    foreign = group_names(folders) - choices.keys()
    composer = _Composer(entry, line.search_path)
    trees, reading = _composed(composer, read_overrides(line.overrides, choices, foreign))
    swept_by_file = _swept_by_file(trees[0], reading)
    if swept_by_file:
        trees, reading = _composed(composer, read_overrides((*line.overrides, *swept_by_file), choices, foreign))
    sweep = line.multirun or trees[0].hydra.mode is RunMode.MULTIRUN
    swept = [] if sweep else [_needs_multirun(assignment) for assignment in reading.assignments if assignment.sweeps]
    configs, wrong = [], []
    for tree in trees:
        try:
            configs.append(load(_without_hydra(tree), schema))
        except ConfigError as error:
            wrong += [problem for problem in error.problems if not _below(problem, reading.unknown_choices)]
    problems = [*reading.problems, *swept, *wrong]
    if problems:
        raise ConfigError([redacted(problem) for problem in dict.fromkeys(problems)])
    folder = trees[0].hydra.sweep.dir if sweep else trees[0].hydra.run.dir
    return Plan(tuple(assignment.text for assignment in reading.assignments), sweep, Path(folder), configs[0])


def _swept_by_file(tree: DictConfig, reading: Reading) -> list[str]:
    """The sweep that a file of conf/ asks for, as overrides; the command line's own values of a key come first.

    Hydra itself would run them unseen, so the last override takes them away from it.
    """
    if not tree.hydra.sweeper["_target_"].endswith(".BasicSweeper"):
        return []  # a search, whose values nobody knows before
    params = tree.hydra.sweeper.get("params") or {}
    given = {assignment.key for assignment in reading.assignments}
    found = [f"{key}={values}" for key, values in params.items() if key not in given]
    return [*found, "hydra.sweeper.params=null"] if params else []


def _composed(composer: _Composer, reading: Reading) -> _Composed:
    """Everything that composes; an override that does not becomes a problem of the reading."""
    try:
        return _Composed(_all(composer, reading.assignments), reading)
    except _NOT_COMPOSED as error:
        if was_ctrl_c(error):
            raise KeyboardInterrupt from error
        composable = _composable(composer, reading)
    try:
        return _Composed(_all(composer, composable.assignments), composable)
    except _NOT_COMPOSED as error:
        raise ConfigError([*composable.problems, _one_line(error)]) from error


def _all(composer: _Composer, assignments: Sequence[Assignment]) -> list[DictConfig]:
    runs = math.prod(len(assignment.values) for assignment in assignments)
    if runs > MOST_RUNS:
        raise ConfigError([f"the sweep has {runs:,} runs; {MOST_RUNS:,} are the most"])
    combinations = itertools.product(*(assignment.values for assignment in assignments))
    return [composer.compose(combination) for combination in combinations]


def _composable(composer: _Composer, reading: Reading) -> Reading:
    """The reading with only those assignments that compose one after the other."""
    kept: list[Assignment] = []
    problems = list(reading.problems)
    for assignment in reading.assignments:
        try:
            for value in assignment.values:
                composer.compose([*(before.values[0] for before in kept), value])
            kept.append(assignment)
        except _NOT_COMPOSED as error:
            problems.append(f"{assignment.text.removeprefix('++')}: {_one_line(error)}")
    return reading._replace(assignments=kept, problems=problems)


def _one_line(error: Exception) -> str:
    text = str(error) or str(error.__cause__)
    missing = [extra for plugin, extra in _EXTRAS.items() if f"'{plugin}" in text.split("\n")[0]]
    advice = f"; pip install 'agentbench[{missing[0]}]'" if missing else ""
    return " ".join(text.split("\nConfig search path")[0].split()) + advice


def _without_hydra(tree: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(tree, [str(key) for key in tree if key != "hydra"])


def _needs_multirun(assignment: Assignment) -> str:
    key, _, values = assignment.text.removeprefix("++").partition("=")
    return f"{key}: several values ({values}); add -m for one run each, or write a list as {key}=[{values}]"


def _below(problem: str, keys: Sequence[str]) -> bool:
    return problem.startswith(tuple(f"{key}{end}" for key in keys for end in (".", ":")))
