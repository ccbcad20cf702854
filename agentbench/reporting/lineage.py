"""Where an artefact came from and what it was used for: raw data → worlds → tasks → trajectories → rows → model → runs.

Read from the `run.json` of run folders alone. An input belongs to the run whose folder it lies in; one that lies
elsewhere, such as a model that was copied, to the run that wrote something with the same hash.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.app.artefacts import RUN, described, run_of
from agentbench.app.record import read_record
from agentbench.errors import PreflightError
from agentbench.types import record
from agentbench.worlds.manifest import whole_world

LINEAGE = "lineage.json"


class Stage(IntEnum):
    """The order in which things are made."""

    RAW_DATA = 0
    WORLD = 1
    TASKS = 2
    TRAJECTORIES = 3
    ROWS = 4
    MODEL = 5
    ADAPTER = 6
    EVALUATION = 7
    OTHER = 8
    """Prompts, labels and whatever else a configuration names."""


@record
class Artefact:
    """One thing on the way, and the command that made it."""

    stage: str
    path: str
    sha256: str
    """As it was when a run read or wrote it; of raw data, what the world's manifest says it was made from."""
    changed: bool
    """Whether it holds something else by now, or is gone."""
    command: str
    """Empty where no run folder tells."""
    run: str
    """That run's folder."""
    started: str
    commit: str
    """Of agentbench; ends in `+` where the checkout had changes of its own."""
    use: bool = False
    """Made with what was asked about, and not on the way to it."""


class _Recorded(NamedTuple):
    folder: Path
    record: Mapping[str, Any]


def lineage(target: Path, outputs: Path) -> tuple[Artefact, ...]:
    """All artefacts on the way to the target, those of its own run, and those of runs below `outputs` that used it.

    Raises:
        PreflightError: the target is not there, or no run folder tells of it.
    """
    if not target.exists():
        raise PreflightError(
            f"lineage: there is no {str(target)!r}", "name an adapter, a model, a file or a run's folder"
        )
    shelf = _Shelf(outputs, target)
    start = shelf.producer(target, None if (target / RUN).is_file() else described(target)["sha256"])
    if start is None:
        advice = "name something that a run wrote, or outputs=<folder with the runs>"
        raise PreflightError(f"lineage: no run below {outputs} tells of {str(target)!r}", advice)
    above = _closure([start], shelf.makers)
    below = [run for run in _closure([start], shelf.users) if run.folder != start.folder]
    return (*_artefacts(above, shelf, use=False), *_artefacts(below, shelf, use=True))


class _Shelf:
    """All run records below a folder, and that of the target."""

    def __init__(self, outputs: Path, target: Path) -> None:
        found = [path.parent for path in sorted(outputs.rglob(RUN))] if outputs.is_dir() else []
        own = run_of(target)
        self._runs = {folder.resolve(): _recorded(folder) for folder in [*found, *([own] if own else [])]}

    def producer(self, path: Path, sha256: str | None) -> _Recorded | None:
        """The run in whose folder a path lies, or that wrote something with this hash."""
        folder = run_of(path)
        own = self._of(folder) if folder else None
        if own is not None or sha256 is None:
            return own
        return next((run for run in self._known() if sha256 in _hashes(run.record.get("outputs", {}))), None)

    def makers(self, run: _Recorded) -> Iterator[_Recorded]:
        """The runs that wrote what a run read."""
        for found in run.record.get("inputs", {}).values():
            maker = self.producer(located(found["path"], run.record), found["sha256"])
            if maker is not None and maker.folder.resolve() != run.folder.resolve():
                yield maker

    def users(self, run: _Recorded) -> Iterator[_Recorded]:
        """The runs that read what a run wrote."""
        written = _hashes(run.record.get("outputs", {}))
        for other in self._known():
            read = other.record.get("inputs", {}).values()
            if other.folder != run.folder and any(found["sha256"] in written for found in read):
                yield other

    def _known(self) -> list[_Recorded]:
        return [run for run in self._runs.values() if run is not None]

    def _of(self, folder: Path) -> _Recorded | None:
        place = folder.resolve()
        if place not in self._runs:
            self._runs[place] = _recorded(folder)
        return self._runs[place]


def located(path: str, record: Mapping[str, Any]) -> Path:
    """A path as a run wrote it down: as it stands, or from the folder that the run was started in."""
    there = Path(path)
    return there if there.exists() else Path(record.get("cwd", ".")) / there


def _recorded(folder: Path) -> _Recorded | None:
    found = read_record(folder)
    return None if found is None else _Recorded(folder, found)


def _hashes(found: Mapping[str, Any]) -> set[str]:
    return {each["sha256"] for each in found.values()}


def _closure(runs: list[_Recorded], following: Callable[[_Recorded], Iterator[_Recorded]]) -> list[_Recorded]:
    """The runs and all that follow from them, each once."""
    seen = {run.folder.resolve(): run for run in runs}
    waiting = list(runs)
    while waiting:
        for other in following(waiting.pop()):
            if other.folder.resolve() not in seen:
                seen[other.folder.resolve()] = other
                waiting.append(other)
    return list(seen.values())


def _artefacts(runs: Iterable[_Recorded], shelf: _Shelf, *, use: bool) -> list[Artefact]:
    """What the runs read and wrote, each once, in the order in which such things are made."""
    found: dict[str, Artefact] = {}
    for run in sorted(runs, key=lambda run: str(run.record["started"])):
        for key, read in run.record.get("inputs", {}).items():
            if not use:
                place = located(read["path"], run.record)
                maker = shelf.producer(place, read["sha256"])
                for artefact in (*_raw(key, place), _artefact(_stage(key), place, read["sha256"], maker)):
                    found.setdefault(artefact.sha256, artefact)
        for name, written in run.record.get("outputs", {}).items():
            stage = Stage.EVALUATION if run.record["entry"] == "eval" else _stage(name)
            artefact = _artefact(stage, located(written["path"], run.record), written["sha256"], run)
            found[artefact.sha256] = _used(artefact) if use else artefact
    return sorted(found.values(), key=lambda artefact: (Stage[artefact.stage.upper()], artefact.started))


def _artefact(stage: Stage, path: Path, sha256: str, maker: _Recorded | None) -> Artefact:
    told = maker.record if maker else {}
    git = told.get("git") or {}
    commit = f"{git['commit'][:12]}{'+' if git['dirty'] else ''}" if git else ""
    return Artefact(
        stage=stage.name.lower(),
        path=str(path),
        sha256=sha256,
        changed=not path.exists() or described(path)["sha256"] != sha256,
        command=str(told.get("command", "")),
        run=str(maker.folder) if maker else "",
        started=str(told.get("started", "")),
        commit=commit,
    )


def _used(artefact: Artefact) -> Artefact:
    return dataclasses.replace(artefact, use=True)


def _raw(key: str, place: Path) -> Iterator[Artefact]:
    """What a world in the cache was made from; its manifest tells, and no run does."""
    world = whole_world(place) if key.startswith("worlds.") and place.is_dir() else None
    if world is not None and run_of(place) is None:
        told = world.manifest
        yield Artefact("raw_data", told.attribution, told.fingerprint, False, "", "", "", "")


_STAGES = {
    Stage.RAW_DATA: ("database", "documents", "data_dir", "source"),
    Stage.WORLD: ("worlds", "world"),
    Stage.TASKS: ("tasks",),
    Stage.TRAJECTORIES: ("trajectories", "trajectories.jsonl", "against", "regrade", "predictions"),
    Stage.ROWS: ("rows", "rows.jsonl", "validation_rows", "validation.jsonl"),
    Stage.MODEL: ("model", "model.path"),
    Stage.ADAPTER: ("adapter", "model.adapter"),
}


def _stage(key: str) -> Stage:
    """The stage of an input by its key, or of an output by its name; the longest beginning counts."""
    fits = [(len(name), stage) for stage, names in _STAGES.items() for name in names if _begins(key, name)]
    return max(fits, default=(0, Stage.OTHER))[1]


def _begins(key: str, name: str) -> bool:
    return key == name or key.startswith(f"{name}.")
