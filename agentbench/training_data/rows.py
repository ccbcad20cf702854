"""The rows that trainers read, one JSON object per line, and the reader that trusts none of them.

A line opens with `datasets.load_dataset("json", …)` as it stands: messages and tools for stock trainers, exact token
ids and masks for ours. `tools` is a JSON text, because `datasets` would fill what one declaration has and another
lacks with nulls. Rows of a template without tokens (`teacher`) have no ids; their lines lack those keys.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from agentbench.errors import DataError, PreflightError
from agentbench.formats import KEY, PREFERENCE, SFT, Format
from agentbench.types import record

ROWS = "rows.jsonl"
VALIDATION = "validation.jsonl"

Message = dict[str, Any]
"""`role`, `content`, and for calls `tool_calls`, for results `tool_call_id`."""


@record
class PreferenceRow:
    """A chosen and a rejected way on from the same prompt. Each side's ids and mask have the same length."""

    id: str
    task: str
    domain: str
    kind: str
    """`call_over_final` and the like for steps, `success_over_failure` or `higher_return` for trajectories."""
    margin: float
    """Reward of the chosen side less that of the rejected one; 0 for steps of which one was never carried out. With
    prefs.source=values the difference of their values."""
    chosen_category: str
    """Reward category of the chosen side's last step; `not_executed` where it has none."""
    rejected_category: str
    template: str
    tools: str
    """JSON text of the tools' declarations."""
    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    tokenizer: str = ""
    """Fingerprint of the tokenizer that the ids belong to; empty where there are no ids."""
    prompt_ids: tuple[int, ...] = ()
    chosen_ids: tuple[int, ...] = ()
    chosen_mask: tuple[int, ...] = ()
    """1 where a token belongs to an action that carries loss, 0 elsewhere: observations, masked steps."""
    rejected_ids: tuple[int, ...] = ()
    rejected_mask: tuple[int, ...] = ()
    format: Literal["preference/1"] = "preference/1"


@record
class SftRow:
    """One supervised example. `input_ids` and `completion_mask` have the same length."""

    id: str
    input_ids: tuple[int, ...] = ()
    completion_mask: tuple[int, ...] = ()
    """1 where the token belongs to an action and is trained on, 0 elsewhere."""
    task: str = ""
    domain: str = ""
    kind: str = ""
    """`expert`, `agent` or `mixed` for conversations, `expert_call` and the like for single steps."""
    margin: float = 0.0
    """Sum of rewards: of the trajectory, or of the one step."""
    category: str = ""
    """Reward category of the last step."""
    template: str = ""
    tools: str = ""
    prompt: tuple[Message, ...] = ()
    completion: tuple[Message, ...] = ()
    tokenizer: str = ""
    format: Literal["sft/1"] = "sft/1"


Row = PreferenceRow | SftRow

_KINDS: dict[str, tuple[Format, type[Row]]] = {
    PREFERENCE.name: (PREFERENCE, PreferenceRow),
    SFT.name: (SFT, SftRow),
}
_TOKENS = frozenset(
    {"prompt_ids", "chosen_ids", "chosen_mask", "rejected_ids", "rejected_mask", "input_ids", "completion_mask"}
)


class RowsIdentity(NamedTuple):
    """What all rows of a file have in common."""

    format: str
    template: str
    """As `template.kind`, with `/no_thinking` behind it where that is switched off."""
    tokenizer: str
    """Fingerprint; empty where the rows hold messages only."""


def row_line(row: Row) -> bytes:
    """A row as its line, the newline included."""
    line = json_of(row)
    if not row.tokenizer:
        values = json.loads(line)
        line = json.dumps({key: values[key] for key in values if key not in _TOKENS}, ensure_ascii=False).encode()
    return line + b"\n"


def json_of(values: Any) -> bytes:
    """A record as JSON."""
    try:
        return orjson.dumps(values)
    except TypeError:  # an integer of more than 64 bits among the arguments
        return json.dumps(dataclasses.asdict(values), ensure_ascii=False).encode()


def read_rows(path: Path) -> Iterator[Row]:
    """Every row, one in memory at a time.

    Raises:
        PreflightError: the file cannot be read.
        DataError: it is empty, or a line is no row of this version, has ids and masks of different lengths, or differs
            from the first line in format, template or tokenizer.
    """
    first: RowsIdentity | None = None
    with _reading(path) as file:
        for number, line in enumerate(file, 1):
            row = _row(line, path, number)
            identity = RowsIdentity(row.format, row.template, row.tokenizer)
            first = first or identity
            if identity != first:
                raise DataError(path, f"{identity} here, {first} in line 1", number, "build one file of one kind")
            yield row
    if first is None:
        raise DataError(path, "holds no rows", next_step="build rows with agentbench.build_prefs")


def read_preferences(path: Path) -> Iterator[PreferenceRow]:
    """Every row of a file of preferences.

    Raises:
        PreflightError, DataError: as `read_rows`, or the file holds supervised rows.
    """
    for row in read_rows(path):
        if not isinstance(row, PreferenceRow):
            raise DataError(path, f"holds {row.format} rows, not preferences", 1, "build them with prefs=step")
        yield row


def read_supervised(path: Path) -> Iterator[SftRow]:
    """Every row of a file of supervised examples.

    Raises:
        PreflightError, DataError: as `read_rows`, or the file holds preferences.
    """
    for row in read_rows(path):
        if not isinstance(row, SftRow):
            raise DataError(path, f"holds {row.format} rows, not supervised ones", 1, "build them with prefs=sft")
        yield row


def rows_identity(path: Path) -> RowsIdentity:
    """What the first line says of all.

    Raises:
        PreflightError, DataError: as `read_rows`, for the first line.
    """
    row = next(read_rows(path))
    return RowsIdentity(row.format, row.template, row.tokenizer)


def refuse_other_tokenizer(path: Path, fingerprint: str) -> None:
    """Lets rows pass whose ids belong to the tokenizer of this fingerprint.

    Raises:
        PreflightError, DataError: as `read_rows` for the first line, or the rows have no ids, or another tokenizer's.
    """
    found = rows_identity(path).tokenizer
    if not found:
        problem = "holds messages only: it was built with template=teacher"
        raise DataError(path, problem, None, "build the rows with the student's template and tokenizer")
    if found != fingerprint:
        problem = f"its token ids belong to the tokenizer {found}, the model's is {fingerprint}"
        raise DataError(path, problem, None, "build the rows with tokenizer=<folder of the model>")


def _row(line: bytes, path: Path, number: int) -> Row:
    try:
        values = from_json(line, allow_inf_nan=False)  # integers of more than 64 bits stay what they are
    except ValueError:
        raise DataError(path, "not JSON", number) from None
    said = values.get(KEY) if isinstance(values, dict) else None
    kind = str(said).partition("/")[0]
    if kind not in _KINDS:
        known = ", ".join(known.tag for known, _ in _KINDS.values())
        raise DataError(path, f"format {said!r} is none of {known}", number, "build the rows with this version")
    known, row_type = _KINDS[kind]
    try:
        row = _adapter(row_type).validate_python(known.current(values, path, number))
    except ValidationError as error:
        raise DataError(path, _problem(error), number) from None
    if problem := _mismatch(row):
        raise DataError(path, problem, number)
    return row


@cache
def _adapter(kind: type[Row]) -> TypeAdapter[Row]:
    return TypeAdapter(kind)


def _problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"unknown key {place!r}" if first["type"] == "unexpected_keyword_argument" else f"{place}: {first['msg']}"


def _mismatch(row: Row) -> str:
    """What is wrong with ids and masks; empty where nothing is."""
    match row:
        case PreferenceRow():
            problems = (
                _unequal(row, "chosen", row.chosen_ids, row.chosen_mask),
                _unequal(row, "rejected", row.rejected_ids, row.rejected_mask),
            )
        case SftRow():
            problems = (_unequal(row, "input", row.input_ids, row.completion_mask),)
    return next(filter(None, problems), "")


def _unequal(row: Row, side: str, ids: tuple[int, ...], mask: tuple[int, ...]) -> str:
    if len(ids) != len(mask):
        return f"{side}_ids has {len(ids)} entries and its mask {len(mask)}"
    if not {0, 1}.issuperset(mask):
        return f"the mask of {side}_ids holds something else than 0 and 1"
    if bool(ids) != bool(row.tokenizer):
        return f"{side}_ids is empty" if row.tokenizer else f"{side}_ids belongs to no tokenizer"
    return ""


def _reading(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as failure:
        raise PreflightError(f"{path} cannot be read: {failure.strerror}") from failure
