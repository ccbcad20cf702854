"""The worlds whose data come with ordinary Python packages, built on demand and cached."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import NamedTuple

from agentbench.config.source import TaskCounts
from agentbench.config.suggest import did_you_mean
from agentbench.errors import PreflightError
from agentbench.worlds import chemistry, films, geography
from agentbench.worlds.building import Recipe, Report, build_world, fingerprint
from agentbench.worlds.database import write_database
from agentbench.worlds.domain import Content, Domain
from agentbench.worlds.manifest import World, whole_world
from agentbench.worlds.source_files import package_version


class _Source(NamedTuple):
    domain: Domain
    extract: Callable[[], Content]
    distributions: tuple[str, ...]


_SOURCES = {
    module.DOMAIN.name: _Source(module.DOMAIN, module.extract, module.DISTRIBUTIONS)
    for module in (films, geography, chemistry)
}
EMBEDDED: tuple[str, ...] = tuple(_SOURCES)
"""Names of the domains."""


def prepare_embedded(name: str, seed: int, counts: TaskCounts, cache_dir: Path, report: Report) -> World:
    """The world of an embedded domain, from the cache where it was built from the same before and is whole.

    Raises:
        PreflightError: there is no such domain, or the package with its data is not installed.
    """
    source = _source(name)
    rotation = Fraction(EMBEDDED.index(name), len(EMBEDDED))
    versions = [package_version(item) for item in source.distributions]
    made_from = fingerprint(source.domain, versions, seed, counts, rotation)
    folder = cache_dir / "worlds" / f"{name}-{made_from[:12]}"
    cached = whole_world(folder)
    if cached is not None:
        return cached
    _discard(folder, report)
    report(f"{name}: building the world in {folder}")
    content = source.extract()
    write = partial(write_database, domain=source.domain, rows=content.rows)
    recipe = Recipe(source.domain, content, write, seed, counts, made_from, name, rotation)
    return build_world(recipe, folder, report)


def _discard(folder: Path, report: Report) -> None:
    """Removes what is left of a broken world; out of the way at once, since others may look for it."""
    if not folder.exists():
        return
    report(f"{folder} holds a broken world: it is removed")
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    # Another builder may have been faster.
    with suppress(FileNotFoundError):
        os.rename(folder, aside / folder.name)
    shutil.rmtree(aside, ignore_errors=True)


def _source(name: str) -> _Source:
    if name not in _SOURCES:
        hint = did_you_mean(name, EMBEDDED)
        known = ", ".join(EMBEDDED)
        raise PreflightError(f"there is no embedded domain {name!r}{hint} (there are {known}), and no such folder")
    return _SOURCES[name]
