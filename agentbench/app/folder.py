"""The folder a run writes to: a new one that no other run has, or the one that is gone on with."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import yaml

from agentbench.config import load
from agentbench.config.entry import RolloutConfig
from agentbench.config.keys import leaves
from agentbench.errors import ConfigError, PreflightError

_MAY_DIFFER = frozenset({"resume", "concurrency", "episode_timeout_s", "max_failures", "cache_dir"})
"""Top-level keys that change how a run proceeds but not what comes out of it."""


def claim(wanted: Path) -> Path:
    """Makes the folder, or the first free one of `<name>_2`, `<name>_3`, …; no two processes get the same.

    Raises:
        PreflightError: the folder cannot be made.
    """
    number, folder = 1, wanted
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
            folder = wanted.with_name(f"{wanted.name}_{number}")
        except OSError as error:
            raise PreflightError(f"cannot make the folder {folder}: {error.strerror}") from error


def resumed(folder: Path, config: RolloutConfig) -> Path:
    """The folder of an earlier run, once it is clear that it was a run of the same configuration.

    Raises:
        PreflightError: there is no such folder, or no run in it.
        ConfigError: the configurations differ; one line per key.
    """
    saved = folder / ".hydra" / "config.yaml"
    if not folder.is_dir():
        raise PreflightError(f"resume: no folder {str(folder)!r}")
    if not saved.is_file():
        raise PreflightError(f"resume: {str(folder)!r} is not the folder of a run: .hydra/config.yaml is missing")
    before = load(yaml.safe_load(saved.read_text(encoding="utf-8")), RolloutConfig)
    then, now = dict(leaves(dataclasses.asdict(before))), dict(leaves(dataclasses.asdict(config)))
    differ = [key for key in dict.fromkeys([*then, *now]) if then.get(key) != now.get(key)]
    differ = [key for key in differ if key.split(".")[0] not in _MAY_DIFFER]
    if differ:
        raise ConfigError([f"{key}: was {then.get(key)} in {folder}, is {now.get(key)}" for key in differ])
    return folder
