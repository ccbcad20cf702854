"""What conf/ offers, from its file names alone, so that it is known before anything heavy is imported."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CONF = (Path(__file__).parents[1] / "conf").resolve()
"""In a checkout the folder beside the package, by a link; in an installed package its own. Runs start from anywhere."""


class Group(NamedTuple):
    """One choice an entry point lets its user make: `name=option`."""

    name: str
    default: str
    options: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()
    """Options that choose in groups this entry point has none of, and so are for others."""


def primary(entry: str) -> dict[str, Any]:
    """The file that an entry point's configuration starts from, as it is written."""
    return yaml.safe_load((CONF / f"{entry}.yaml").read_text(encoding="utf-8"))


def groups(entry: str, folders: Sequence[Path] = (CONF,)) -> dict[str, Group]:
    """The groups in the defaults list of an entry point, with the options found in all folders."""
    chosen = {name: option for item in primary(entry)["defaults"] if item != "_self_" for name, option in item.items()}
    there = {name: _options(name, folders) for name in chosen if name != "hydra"}
    return {name: _group(name, chosen[name], files, chosen.keys()) for name, files in there.items()}


def group_names(folders: Sequence[Path] = (CONF,)) -> set[str]:
    """All groups there are, for whatever entry point."""
    return {path.name for folder in folders for path in folder.iterdir() if path.is_dir() and path.name != "hydra"}


def _options(group: str, folders: Sequence[Path]) -> dict[str, Path]:
    """The files of a group by their options, in order; the first folder's where several have one."""
    found = {path.stem: path for folder in reversed(folders) for path in (folder / group).glob("*.yaml")}
    return dict(sorted(found.items()))


def _group(name: str, default: str, files: Mapping[str, Path], there: Collection[str]) -> Group:
    elsewhere = tuple(option for option in files if not _chooses_in(option, files) <= {*there, name})
    return Group(name, default, tuple(option for option in files if option not in elsewhere), elsewhere)


def _chooses_in(option: str, files: Mapping[str, Path]) -> set[str]:
    """The groups in which a file, or one of its own group that it is made of, overrides what was chosen."""
    text = files[option].read_text(encoding="utf-8")
    if "defaults:" not in text:
        return set()
    found: set[str] = set()
    for item in yaml.safe_load(text)["defaults"]:
        if isinstance(item, dict):
            found |= {match[1] for key in item if (match := re.match(r"override /(\w+)", key))}
        elif item in files and item != option:
            found |= _chooses_in(item, files)
    return found
