"""The folder a run writes to: a new one that no other run has, or the one that is gone on with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from agentbench.app.lock import locked
from agentbench.app.record import read_record
from agentbench.config import load
from agentbench.config.entry import RolloutConfig, TrainConfig
from agentbench.config.keys import leaves
from agentbench.config.yaml_text import read_yaml
from agentbench.errors import ConfigError, DataError, PreflightError

CONFIG = Path(".hydra", "config.yaml")
"""In a run's folder: what it was configured with."""
_MAY_DIFFER = frozenset(
    {"resume", "checksums", "concurrency", "episode_timeout_s", "max_failures", "cache_dir", "tracker", "evaluate"}
    | {"baselines", "compare", "allow", "labels"}
    | {"serve.host", "serve.port", "serve.start_timeout_s"}
    | {"serve.parity", "serve.parity_device", "serve.parity_tolerance"}
    | {"model.api_key_env", "model.timeout_s", "model.max_retries", "model.down_timeout_s", "model.max_connections"}
)
"""Keys, or sections, that change how a run proceeds but not what comes out of it."""


def claim(wanted: Path) -> Path:
    """Makes the folder, or the first free one of `<name>_2`, `<name>_3`, …; no two processes get the same.

    Raises:
        PreflightError: the folder cannot be made.
    """
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        return _first_free(wanted)
    except FileExistsError as error:
        raise PreflightError(f"cannot make the folder {error.filename}: a file or a broken link is there") from error
    except OSError as error:
        raise PreflightError(f"cannot make the folder {error.filename}: {error.strerror}") from error


def resumed(folder: Path, config: RolloutConfig | TrainConfig, entry: str) -> Path:
    """The folder of an earlier run, once it is clear that it was a run of the same configuration and is over.

    Raises:
        PreflightError: there is no such folder, no run in it, or one that is still under way.
        DataError: its configuration cannot be read.
        ConfigError: it is a run of another entry point, or the configurations differ; one line per key.
    """
    saved = folder / CONFIG
    if not folder.is_dir():
        raise PreflightError(f"resume: no folder {str(folder)!r}")
    if not saved.is_file():
        raise PreflightError(f"resume: {str(folder)!r} is not the folder of a run: .hydra/config.yaml is missing")
    record = read_record(folder)
    if record is not None and record["entry"] != entry:
        raise ConfigError([f"resume: {folder} is a run of {record['entry']}, not of {entry}"])
    differ = differing(folder, config)
    if differ:
        raise ConfigError(differ)
    with locked(folder):
        return folder


def differing(folder: Path, config: Any) -> list[str]:
    """A line for every key in which a run's saved configuration is another one, but those that may differ.

    Raises:
        DataError, ConfigError: the saved configuration cannot be read, or is of another version or entry point.
    """
    before = load(_mapping(folder / CONFIG), type(config))
    then, now = dict(leaves(dataclasses.asdict(before))), dict(leaves(dataclasses.asdict(config)))
    differ = [key for key in dict.fromkeys([*then, *now]) if then.get(key) != now.get(key)]
    may = _MAY_DIFFER | ({"launcher"} if isinstance(config, RolloutConfig) else set())
    differ = [key for key in differ if key not in may and key.split(".")[0] not in may]
    return [f"{key}: was {then.get(key)} in {folder}, is {now.get(key)}" for key in differ]


def _first_free(wanted: Path) -> Path:
    number, folder = 1, wanted
    while True:
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1
            folder = wanted.with_name(f"{wanted.name}_{number}")


def _mapping(path: Path) -> dict[str, Any]:
    try:
        found = read_yaml(path.read_bytes())
    except ValueError as error:
        raise DataError(path, f"cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise DataError(path, "holds no configuration")
    return found
