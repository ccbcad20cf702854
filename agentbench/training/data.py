"""Rows as the tables that trainers read: our tokens and masks, untouched, and how much of them carries the loss.

Nothing is tokenised, truncated or ended with a token here. What cannot be trained on is left out and counted. The
tables lie in the run's folder, where every rank maps the same files into its memory.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from datasets import Dataset, Features, List, Value, concatenate_datasets, load_from_disk
from datasets.utils.logging import disable_progress_bar

from agentbench.config.stage import KtoLoss, KtoStage, OrpoStage, SftStage, StageConfig
from agentbench.errors import DataError
from agentbench.training.treepack.order import TREE, mixed_order, trees_of
from agentbench.training_data.rows import PreferenceRow, Row, SftRow
from agentbench.types import record

IGNORED = -100
"""Label of tokens outside the loss, as in PyTorch's cross entropy."""

_AUDIT = "audit.json"
_CHUNK = 2_000
_TOKENS, _MASK, _NUMBER = List(Value("int32")), List(Value("int8")), Value("int32")

_NO_TEXTS = {"prompt": "", "chosen": "", "rejected": ""}
"""Columns that TRL's ORPO looks for before it reads tokens."""

Columns = dict[str, Any]


class Origin(NamedTuple):
    """A row and where it stands."""

    row: Row
    path: Path | str
    line: int


class Limits(NamedTuple):
    """Longest rows, in tokens."""

    max_length: int
    """Longer rows are left out."""
    context: int | None
    """Longest input of the model; a longer row that is not left out is an error."""


@record
class Audit:
    """How much of the rows carries the loss. Tokens of a prompt count once for each side of a pair."""

    rows: int
    """Examples to train on; of a pair, KTO makes two."""
    too_long: int
    repeated: int
    unscored: int
    """Rows with a side that has no token of the agent's."""
    tokens: int
    own: int
    """Tokens of the agent's own, which carry the loss."""
    stock: int
    """Tokens that a trainer without masks would score: all after the prompt, or all of a supervised row."""

    @property
    def left_out(self) -> int:
        """Rows that are not trained on."""
        return self.too_long + self.repeated + self.unscored

    def reasons(self) -> str:
        """Why rows were left out, each reason with its count; empty where none was."""
        counts = {"too long": self.too_long, "repeated": self.repeated, "without a scored token": self.unscored}
        return ", ".join(f"{count} {why}" for why, count in counts.items() if count)

    def line(self) -> str:
        """What is trained on, in one sentence."""
        out = self.reasons()
        if self.own == self.tokens:
            left_out = f" ({out} left out)" if out else ""
            return f"{self.rows:,} rows{left_out}: all {self.tokens:,} tokens carry the loss, prompts and results too"
        foreign = (self.stock - self.own) / max(1, self.stock)
        return (
            f"{self.rows:,} rows{f' ({out} left out)' if out else ''}: {self.own:,} of {self.tokens:,} tokens"
            f" ({self.own / max(1, self.tokens):.1%}) carry the loss, all the agent's own; without masks it would be"
            f" {self.stock:,}, {foreign:.1%} of them not the agent's"
        )


class Table(NamedTuple):
    """A table on disk."""

    data: Dataset
    audit: Audit


def write_table(
    rows: Iterable[Origin], stage: StageConfig, limits: Limits, *, rows_at_once: int, seed: int, folder: Path
) -> Audit:
    """Writes the rows as the stage's table into a folder that is made, and says what is in it.

    Raises:
        DataError: a row is of the wrong kind, or longer than the model's context; or there is none to train on.
    """
    disable_progress_bar()
    counting = _Counting(stage, limits)
    examples: Iterable[Columns] = counting.examples(rows)
    if isinstance(stage, KtoStage):
        examples = _with_kl(_mixed(list(examples), stage, rows_at_once, seed), stage, rows_at_once)
    features = _features(stage)
    parts = [Dataset.from_list(chunk, features=features) for chunk in _chunks(examples)]
    audit = counting.audit()
    if not parts:
        advice = f"raise stage.max_length={limits.max_length}" if audit.too_long else "build the rows with other prefs"
        raise DataError("rows", f"none can be trained on: {audit.reasons()}", next_step=advice)
    concatenate_datasets(parts).save_to_disk(str(folder))
    (folder / _AUDIT).write_bytes(orjson.dumps(audit))  # last: a table without it is not finished
    return audit


def read_table(folder: Path) -> Table | None:
    """The table of `write_table`; `None` where it is missing or not finished."""
    if not (folder / _AUDIT).is_file():
        return None
    data = load_from_disk(str(folder))
    assert isinstance(data, Dataset)
    return Table(data, Audit(**orjson.loads((folder / _AUDIT).read_bytes())))


class _Counting:
    """Turns rows into examples and counts what they hold."""

    def __init__(self, stage: StageConfig, limits: Limits) -> None:
        self._stage, self._limits = stage, limits
        self._seen: set[bytes] = set()
        self._counts: dict[str, int] = {field.name: 0 for field in dataclasses.fields(Audit)}
        self._trees: dict[str, int] = {}

    def audit(self) -> Audit:
        """The counts so far."""
        return Audit(**self._counts)

    def examples(self, rows: Iterable[Origin]) -> Iterator[Columns]:
        """The columns of each row that can be trained on."""
        for origin in rows:
            match origin.row:
                case SftRow() as row if isinstance(self._stage, SftStage):
                    yield from self._supervised(row, origin)
                case PreferenceRow() as row if not isinstance(self._stage, SftStage):
                    yield from self._pair(row, origin)
                case row:
                    problem = f"stage={self._stage.kind} cannot be trained on {row.format} rows"
                    raise DataError(origin.path, problem, origin.line, "build the rows with another prefs=…")

    def _supervised(self, row: SftRow, origin: Origin) -> Iterator[Columns]:
        if self._fits(len(row.input_ids), origin) and self._scored(row.completion_mask):
            labels = [token if kept else IGNORED for token, kept in _zip(row.input_ids, row.completion_mask)]
            self._count(len(row.input_ids), sum(row.completion_mask), len(row.input_ids))
            yield {"input_ids": row.input_ids, "labels": labels, TREE: self._tree(row)}

    def _pair(self, row: PreferenceRow, origin: Origin) -> Iterator[Columns]:
        sides = ((row.chosen_ids, row.chosen_mask), (row.rejected_ids, row.rejected_mask))
        longest = len(row.prompt_ids) + max(len(ids) for ids, _ in sides)
        if not self._fits(longest, origin) or not self._scored(*(mask for _, mask in sides)):
            return
        if isinstance(self._stage, KtoStage):
            for label, (ids, mask) in zip((True, False), sides, strict=True):
                if self._new(row.prompt_ids, ids, mask, label):
                    self._count(len(row.prompt_ids) + len(ids), sum(mask), len(ids))
                    yield {
                        "prompt_ids": row.prompt_ids,
                        "completion_ids": ids,
                        "completion_mask": mask,
                        "label": label,
                        TREE: self._tree(row),
                    }
            return
        tokens = 2 * len(row.prompt_ids) + sum(len(ids) for ids, _ in sides)
        self._count(tokens, sum(sum(mask) for _, mask in sides), sum(len(ids) for ids, _ in sides))
        names = ("prompt_ids", "chosen_ids", "chosen_mask", "rejected_ids", "rejected_mask", TREE)
        texts = _NO_TEXTS if isinstance(self._stage, OrpoStage) else {}
        yield {**dict(zip(names, (row.prompt_ids, *sides[0], *sides[1], self._tree(row)), strict=True)), **texts}

    def _fits(self, length: int, origin: Origin) -> bool:
        if length > self._limits.max_length:
            self._counts["too_long"] += 1
            return False
        if self._limits.context is not None and length > self._limits.context:
            problem = f"{length} tokens, and the model's context has {self._limits.context}"
            raise DataError(origin.path, problem, origin.line, f"set stage.max_length={self._limits.context}")
        return True

    def _scored(self, *masks: tuple[int, ...]) -> bool:
        scored = all(any(mask) for mask in masks)
        self._counts["unscored"] += not scored
        return scored

    def _new(self, *parts: object) -> bool:
        key = hashlib.sha256(repr(parts).encode()).digest()
        new = key not in self._seen
        self._seen.add(key)
        self._counts["repeated"] += not new
        return new

    def _tree(self, row: Row) -> int:
        """Rows of one task begin alike."""
        return self._trees.setdefault(row.task or row.id, len(self._trees))

    def _count(self, tokens: int, own: int, stock: int) -> None:
        for name, number in (("rows", 1), ("tokens", tokens), ("own", own), ("stock", stock)):
            self._counts[name] += number


def _zip(ids: tuple[int, ...], mask: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return zip(ids, mask, strict=True)


def _chunks(examples: Iterable[Columns]) -> Iterator[list[Columns]]:
    rest = iter(examples)
    while chunk := list(itertools.islice(rest, _CHUNK)):
        yield chunk


def _mixed(examples: list[Columns], stage: KtoStage, rows_at_once: int, seed: int) -> list[Columns]:
    """TRL reads rows of KTO in order: here it is drawn, with few of one task together, see `_with_kl`."""
    trees = trees_of(examples, [example[TREE] for example in examples], stage.batch_size)
    order = mixed_order(trees, stage.batch_size, (seed,), most=max(1, rows_at_once // 2))
    return [examples[index] for index in order]


def _with_kl(examples: list[Columns], stage: KtoStage, rows_at_once: int) -> Iterator[Columns]:
    """Each example with the completion of the one half a batch away: what KTO takes for unrelated (eq. 8).

    The mask goes where the completion goes. A last batch of one row has no other completion and is left out, as the
    term would then be the reward itself.
    """
    for start in range(0, len(examples), rows_at_once):
        batch = examples[start : start + rows_at_once]
        if stage.loss is not KtoLoss.KTO:
            yield from batch
        elif len(batch) > 1:
            half = len(batch) // 2
            for example, other in zip(batch, [*batch[half:], *batch[:half]], strict=True):
                moved = {f"KL_{name}": other[name] for name in ("completion_ids", "completion_mask")}
                yield {**example, **moved}


def _features(stage: StageConfig) -> Features:
    match stage:
        case SftStage():
            return Features({"input_ids": _TOKENS, "labels": _TOKENS, TREE: _NUMBER})
        case KtoStage():
            kl = {"KL_completion_ids": _TOKENS, "KL_completion_mask": _MASK} if stage.loss is KtoLoss.KTO else {}
            own = {"prompt_ids": _TOKENS, "completion_ids": _TOKENS, "completion_mask": _MASK, "label": Value("bool")}
            return Features({**own, **kl, TREE: _NUMBER})
        case _:
            sides = {"chosen_ids": _TOKENS, "chosen_mask": _MASK, "rejected_ids": _TOKENS, "rejected_mask": _MASK}
            texts = dict.fromkeys(_NO_TEXTS, Value("string")) if isinstance(stage, OrpoStage) else {}
            return Features({"prompt_ids": _TOKENS, **sides, TREE: _NUMBER, **texts})
