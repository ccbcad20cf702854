"""Rows from trajectories: what is read, which maker makes them, what is kept, and the card beside them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import orjson

from agentbench import __version__
from agentbench.app.writing import write_record
from agentbench.build import Report
from agentbench.build.helpful import helpful_calls
from agentbench.build.models import family, system_prompt
from agentbench.build.trained_view import as_seen, said_by
from agentbench.config.entry import BuildPrefsConfig
from agentbench.config.prefs import SftPrefs, StepPrefs, StepSource, TrajectoryPrefs
from agentbench.config.tasks import Split
from agentbench.config.template import TemplateKind
from agentbench.episodes.state_values import state_values
from agentbench.episodes.store import read_trajectories
from agentbench.episodes.tally import differ
from agentbench.errors import DataError, PreflightError
from agentbench.formats import CARD as CARD_FORMAT
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.training_data.card import Card, Counts, Source
from agentbench.training_data.gold_pairs import GoldPairs
from agentbench.training_data.identity import tokenizer_fingerprint
from agentbench.training_data.rows import ROWS, VALIDATION, PreferenceRow, Row, RowsIdentity, SftRow, row_line
from agentbench.training_data.selection import Limits, Selection, in_validation
from agentbench.training_data.served import compare_served
from agentbench.training_data.shelf import shelf
from agentbench.training_data.step_pairs import StepPairs
from agentbench.training_data.supervised import Supervised
from agentbench.training_data.trajectory_pairs import TrajectoryPairs, Walks
from agentbench.training_data.transcript import Transcriber
from agentbench.training_data.value_pairs import Value, ValuePairs
from agentbench.types import Trajectory

CARD = "card.json"

_UNNAMED = "unnamed"


def build_prefs(config: BuildPrefsConfig, folder: Path, report: Report) -> Card:
    """Writes `rows.jsonl`, `validation.jsonl` where a share is held back, and `card.json`; gives the card.

    One trajectory is in memory at a time; with prefs=trajectory all ways through one task are, the others wait in a
    file without a name in the folder.

    Raises:
        PreflightError: a file or the tokenizer is missing.
        DataError: a line is no trajectory, or of a task of the test split.
    """
    maker = _Maker(config, report)
    with _RowFiles(folder, config) as files:
        for row in maker.rows(folder):
            kept = maker.selection.kept(row)
            if kept is not None:
                maker.counts.add(kept, files.write(kept))
    card = maker.card()
    write_record(folder / CARD, CARD_FORMAT, card)
    return card


def refuse_empty(card: Card) -> None:
    """Lets a card with rows to train on pass.

    Raises:
        DataError: there are none.
    """
    if not card.rows:
        why = ", ".join(f"{reason} {count}" for reason, count in card.dropped.items()) or "no trajectories"
        names = ", ".join(source.path for source in card.sources)
        raise DataError(names, f"no row to train on came of it; left out: {why}", None, "loosen prefs, or other files")


class _Maker:
    """Reads trajectories and makes the rows of one run; sums are complete once `rows` is exhausted."""

    def __init__(self, config: BuildPrefsConfig, report: Report) -> None:
        self.counts = Counts()
        self._config = config
        self._report = report
        self._sources: list[Source] = []
        self._dropped: list[Counter[str]] = []
        self._identity, self._transcriber = _writing(config)
        self.selection = Selection(Limits(config.cutoff_len, config.per_task), self._identity)

    def rows(self, folder: Path) -> Iterator[Row]:
        """Every row that can be made, kept or not."""
        config, transcriber = self._config, self._transcriber
        match config.prefs:
            case StepPrefs() as prefs:
                pairs = _step_pairs(prefs, transcriber)
                self._dropped.append(pairs.dropped)
                for trajectory in self._read(config.trajectories):
                    yield from self._drawn(trajectory, pairs.rows(trajectory))
            case SftPrefs() as prefs:
                examples = Supervised(prefs, transcriber)
                self._dropped.append(examples.dropped)
                for trajectory in self._helped(self._read(config.trajectories)):
                    yield from self._drawn(trajectory, examples.rows(trajectory))
            case TrajectoryPrefs() as prefs:
                yield from self._trajectory_pairs(prefs, folder)

    def _helped(self, trajectories: Iterable[Trajectory]) -> Iterator[Trajectory]:
        """The trajectories, without calls that did not help where these are to go."""
        helpful = helpful_calls(self._config)
        if helpful is None:
            yield from trajectories
            return
        self._dropped.append(helpful.dropped)
        for trajectory in trajectories:
            kept = helpful.kept(trajectory)
            if kept is not None:
                yield kept

    def card(self) -> Card:
        """The data card of what was read, made and kept."""
        dropped = sum((*self._dropped, self.selection.dropped), Counter[str]())
        settings = orjson.loads(orjson.dumps(dataclasses.asdict(self._config), default=str))
        return self.counts.card(self._identity, self._sources, dropped, settings=settings, version=__version__)

    def _drawn(self, trajectory: Trajectory, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows in an order of chance where only some are kept: the first ones are never about stopping."""
        if self._config.per_task is None:
            return rows
        drawn = list(rows)
        Random(f"{self._config.seed}/{trajectory.task.id}").shuffle(drawn)
        return iter(drawn)

    def _trajectory_pairs(self, prefs: TrajectoryPrefs, folder: Path) -> Iterator[Row]:
        walks = Walks(prefs, self._transcriber)
        pairs = TrajectoryPairs(prefs, bool(self._config.against), self._config.seed)
        self._dropped += [walks.dropped, pairs.dropped]
        with shelf(folder) as waiting:
            for side, paths in enumerate((self._config.trajectories, self._config.against)):
                for trajectory in self._read(paths):
                    for walk in walks.walks(trajectory, side):
                        waiting.put(walk)
            for same_task in waiting.tasks():
                yield from pairs.rows(same_task)

    def _read(self, paths: Iterable[Path]) -> Iterator[Trajectory]:
        for path in paths:
            digest, count = _sha256(path), 0
            for recorded in read_trajectories(path):
                trajectory = as_seen(recorded, self._config.agent)
                self._refuse_test_task(path, trajectory)
                self._note(trajectory)
                count += 1
                yield trajectory
            self._sources.append(Source(str(path), digest, count))
            self._report(f"{path}: {count} trajectories")

    def _refuse_test_task(self, path: Path, trajectory: Trajectory) -> None:
        held_out = trajectory.task.data.get("split") == Split.TEST.value
        if held_out and not self._config.i_will_not_evaluate_on_test_tasks:
            raise DataError(
                path,
                f"the task {trajectory.task.id!r} is of the test split: trained on, it is lost for evaluation",
                None,
                "roll out with tasks.split=train, or set i_will_not_evaluate_on_test_tasks=true",
            )

    def _note(self, trajectory: Trajectory) -> None:
        steps = trajectory.history.steps
        self.counts.splits[str(trajectory.task.data.get("split", _UNNAMED))] += 1
        self.counts.actors.update(step.decision.actor.value for step in steps)
        if self._identity.tokenizer:
            self.counts.served.update(compare_served(steps, self._transcriber.transcript(trajectory.history)))


def _step_pairs(prefs: StepPrefs, transcriber: Transcriber) -> StepPairs | ValuePairs | GoldPairs:
    match prefs.source:
        case StepSource.ACTORS:
            return StepPairs(prefs, transcriber, differ)
        case StepSource.VALUES:
            return ValuePairs(prefs, transcriber, differ, _values)
        case StepSource.GOLD:
            return GoldPairs(prefs, transcriber, differ)


def _values(trajectory: Trajectory) -> dict[int, Value]:
    estimates = {key: value.step for key, value in state_values(trajectory).items()}
    return {key: Value(found.mean, found.leaves) for key, found in estimates.items() if found.mean is not None}


class _Writing(NamedTuple):
    identity: RowsIdentity
    transcriber: Transcriber


def _writing(config: BuildPrefsConfig) -> _Writing:
    template, system = config.template, system_prompt(config.agent)
    row = SftRow if isinstance(config.prefs, SftPrefs) else PreferenceRow
    form = next(field.default for field in dataclasses.fields(row) if field.name == "format")
    if template.kind is TemplateKind.TEACHER or template.tokenizer is None:
        identity = RowsIdentity(str(form), template.kind.value, "")
        return _Writing(identity, Transcriber(None, system, config.arguments, said_by(config.agent)))
    tokenizer = load_tokenizer(template.tokenizer)
    name = template.kind.value if template.thinking else f"{template.kind.value}/no_thinking"
    identity = RowsIdentity(str(form), name, tokenizer_fingerprint(tokenizer))
    layout = TokenTemplate(family(template.kind, template.thinking), tokenizer, system)
    return _Writing(identity, Transcriber(layout, system, config.arguments, said_by(config.agent)))


class _RowFiles:
    """The files of rows; they bear their names only once all rows are in them. A context manager."""

    def __init__(self, folder: Path, config: BuildPrefsConfig) -> None:
        self._share, self._seed = config.validation_share, config.seed
        self._paths = [folder / ROWS, *([folder / VALIDATION] if self._share else [])]
        self._files: list[BinaryIO] = [_draft(path).open("wb") for path in self._paths]

    def write(self, row: Row) -> bool:
        """Whether the row went to the validation file."""
        validation = in_validation(row.task, self._share, self._seed)
        self._files[validation].write(row_line(row))
        return validation

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path, file in zip(self._paths, self._files, strict=True):
            with file:
                file.flush()
                os.fsync(file.fileno())
            if error is None:
                _draft(path).rename(path)
            else:
                _draft(path).unlink()


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.unfinished")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as failure:
        raise PreflightError(f"{path} cannot be read: {failure.strerror}") from failure
