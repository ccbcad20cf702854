"""Which of the rows offered are kept, and in which file they go: exact repeats, long rows and too many of one task go.

Validation rows are chosen by task, never by row, so no task is on both sides, and by a hash of the task's id, so a
task stays on its side when files are added.
"""

from __future__ import annotations

import dataclasses
import hashlib
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from agentbench.training_data.rows import PreferenceRow, Row, RowsIdentity, SftRow

R = TypeVar("R", bound=Row)


class Limits(NamedTuple):
    """What is kept."""

    cutoff_len: int | None = None
    """Longest row in tokens, prompt and the longer side together."""
    per_task: int | None = None


class Selection:
    """Decides row by row, remembers 16 bytes of each, and counts in `dropped` what it refuses."""

    def __init__(self, limits: Limits, identity: RowsIdentity) -> None:
        self.dropped: Counter[str] = Counter()
        self._limits = limits
        self._identity = identity
        self._seen: set[bytes] = set()
        self._kept: Counter[str] = Counter()

    def kept(self, row: R) -> R | None:
        """The row with its id and what all rows share, or `None` where it is not kept."""
        reason = self._reason_against(row)
        if reason:
            self.dropped[reason] += 1
            return None
        self._kept[row.task] += 1
        name = f"{row.task}:{self._kept[row.task]}"
        return dataclasses.replace(row, id=name, template=self._identity.template, tokenizer=self._identity.tokenizer)

    def _reason_against(self, row: Row) -> str:
        limits = self._limits
        if limits.cutoff_len is not None and row_length(row) > limits.cutoff_len:
            return "rows longer than cutoff_len"
        digest = _digest(row)
        if digest in self._seen:
            return "exact repeats"
        if limits.per_task is not None and self._kept[row.task] >= limits.per_task:
            return "rows beyond per_task"
        self._seen.add(digest)
        return ""


def in_validation(task: str, share: float, seed: int) -> bool:
    """Whether a task's rows are held back for validation; true for about `share` of all tasks."""
    digest = hashlib.blake2b(f"{seed}:{task}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def row_length(row: Row) -> int:
    """Tokens of the longest text that a trainer makes of the row; 0 for rows of messages."""
    match row:
        case PreferenceRow():
            return len(row.prompt_ids) + max(len(row.chosen_ids), len(row.rejected_ids))
        case SftRow():
            return len(row.input_ids)


def _digest(row: Row) -> bytes:
    hashed = hashlib.blake2b(digest_size=16)
    for part in _content(row):
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.digest()


def _content(row: Row) -> Sequence[bytes]:
    """What is trained on: ids and masks, or messages where there are no ids."""
    match row:
        case PreferenceRow(prompt_ids=()):
            return [repr((row.tools, row.prompt, row.chosen, row.rejected)).encode()]
        case PreferenceRow():
            parts = (row.prompt_ids, row.chosen_ids, row.chosen_mask, row.rejected_ids, row.rejected_mask)
        case SftRow(input_ids=()):
            return [repr((row.tools, row.prompt, row.completion)).encode()]
        case SftRow():
            parts = (row.input_ids, row.completion_mask)
    return [array("q", part).tobytes() for part in parts]
