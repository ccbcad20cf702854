"""A sweep that is gone on with: jobs that ended well are left alone, others go on or are begun.

A job is known by its number, so the sweep has to be asked for as it was. Searches draw their values anew each time and
cannot be gone on with; their single runs can.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

from agentbench.app.folder import CONFIG, resumed
from agentbench.app.record import read_record
from agentbench.config.entry import RolloutConfig, TrainConfig
from agentbench.errors import ConfigError, PreflightError

SWEPT = "multirun.yaml"
"""What Hydra's own sweeper leaves in a sweep's folder when it begins."""
RESUMED = Path(".hydra", "resumed")
"""Where the configuration of a run that goes on is written, in its folder; its first one stays as it was."""


def resumed_sweep(folder: Path, overrides: Sequence[str]) -> Path:
    """The folder of an earlier sweep, once it is clear that the same is asked for.

    Raises:
        PreflightError: there is no sweep in the folder, or a search.
        ConfigError: the sweep was asked for in other words.
    """
    if not (folder / SWEPT).is_file():
        found = "no folder" if not folder.is_dir() else "no sweep to go on with in"
        raise PreflightError(f"resume: {found} {str(folder)!r}", "give its folder; one run is resumed without -m")
    before, now = _asked(folder), _plain(overrides)
    if before != now:
        problems = [f"resume: {folder} was swept with {text}" for text in before if text not in now]
        raise ConfigError(problems + [f"resume: {folder} was swept without {text}" for text in now - before])
    return folder


def is_over(folder: Path, config: RolloutConfig | TrainConfig, entry: str) -> bool:
    """Whether a job of a sweep that goes on has ended well; one that has not begun is given its configuration.

    Raises:
        PreflightError: another process is at it.
        ConfigError, DataError: its configuration is another one by now, or cannot be read.
    """
    record = read_record(folder)
    if record is None and not (folder / CONFIG).is_file():
        _begin(folder)
        return False
    resumed(folder, config, entry)
    return record is not None and record.get("exit_code") == 0


def _begin(folder: Path) -> None:
    """Hydra has written down the configuration of a run that goes on; this one is new."""
    shutil.copytree(folder / RESUMED, folder / RESUMED.parent, dirs_exist_ok=True)
    shutil.rmtree(folder / RESUMED)


def _asked(folder: Path) -> set[str]:
    found = yaml.safe_load((folder / SWEPT).read_text(encoding="utf-8"))
    return _plain(found["hydra"]["overrides"]["task"])


def _plain(overrides: Sequence[str]) -> set[str]:
    """Overrides as typed, less what says how to go on."""
    typed = {text.removeprefix("++") for text in overrides}
    return {text for text in typed if not text.startswith(("resume=", "hydra"))}
