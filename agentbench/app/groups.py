"""What conf/ offers, from its file names alone, so that it is known before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CONF = Path(__file__).parents[2] / "conf"
"""The folder beside the package; runs may be started from anywhere."""


class Group(NamedTuple):
    """One choice an entry point lets its user make: `name=option`."""

    name: str
    default: str
    options: tuple[str, ...]


def primary(entry: str) -> dict[str, Any]:
    """The file that an entry point's configuration starts from, as it is written."""
    return yaml.safe_load((CONF / f"{entry}.yaml").read_text(encoding="utf-8"))


def groups(entry: str, folders: Sequence[Path] = (CONF,)) -> dict[str, Group]:
    """The groups in the defaults list of an entry point, with the options found in all folders."""
    chosen = {name: option for item in primary(entry)["defaults"] if item != "_self_" for name, option in item.items()}
    return {name: Group(name, option, _options(name, folders)) for name, option in chosen.items() if name != "hydra"}


def group_names(folders: Sequence[Path] = (CONF,)) -> set[str]:
    """All groups there are, for whatever entry point."""
    return {path.name for folder in folders for path in folder.iterdir() if path.is_dir() and path.name != "hydra"}


def _options(group: str, folders: Sequence[Path]) -> tuple[str, ...]:
    return tuple(sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")}))
