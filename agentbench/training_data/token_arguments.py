"""Do arguments of tool calls survive the reading of rows? The `datasets` library gives all rows the same keys.

A call with `{"line": …}` beside one with `{"number": …}` then has both, the other one's as None, and a chat template
that renders the row teaches the model to write them. Rows that hold arguments and declarations as JSON texts, as ours
do by default, have no keys to fill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from agentbench.config.prefs import Arguments
from agentbench.templates.calls import json_text
from agentbench.training_data.rows import Message, SftRow, row_line
from agentbench.training_data.token_figures import Counter, Figure
from agentbench.training_data.token_histories import Case
from agentbench.training_data.token_stock import Conversation, Refused, conversation

Row = dict[str, Any]

Reader = Callable[[list[Row]], Iterable[Row]]
"""Opens rows by way of the `datasets` library."""


def row_arguments(cases: Iterable[Case], system: str, arguments: Arguments = Arguments.TEXT) -> Figure:
    """Calls of rows in our format that come out changed: from their JSON lines, or as a `Dataset` made of them."""
    talks = [conversation(case.history, system, arguments) for case in cases]
    rows = [orjson.loads(_line(talk)) for talk in talks]
    counter = Counter("calls with arguments changed")
    for reader in (from_lines, from_list):
        try:
            _compare(counter, rows, reader(rows), "completion")
        except Refused as refusal:
            counter.add_all(str(refusal) for row in rows for _ in _calls(row["completion"]))
    return counter.figure()


def stock_arguments(cases: Iterable[Case], system: str, reader: Reader) -> Figure:
    """The same for rows that hold arguments and declarations as objects.

    Raises:
        Refused: the library cannot read such rows.
    """
    talks = [conversation(case.history, system, Arguments.OBJECT) for case in cases]
    rows = [{"messages": list(talk.messages), "tools": list(talk.tools)} for talk in talks]
    counter = Counter("calls with arguments changed")
    _compare(counter, rows, reader(rows), "messages")
    return counter.figure()


def from_list(rows: list[Row]) -> Iterable[Row]:
    """A `Dataset` of rows in memory.

    Raises:
        Refused: one key has values of several types.
    """
    return _dataset(rows)


def from_list_as_json(rows: list[Row]) -> Iterable[Row]:
    """A `Dataset` of rows in memory that keeps values of several types as JSON.

    Raises:
        Refused: the library cannot do that.
    """
    return _dataset(rows, on_mixed_types="use_json")


def from_lines(rows: list[Row]) -> Iterable[Row]:
    """The rows written as JSON lines and opened with `load_dataset("json")`.

    Raises:
        Refused: the library cannot read them.
    """
    import datasets
    from datasets.exceptions import DatasetGenerationError

    with TemporaryDirectory() as place, _no_progress_bars():
        file = Path(place) / "rows.jsonl"
        file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        try:
            opened: Any = datasets.load_dataset("json", data_files=str(file), split="train", cache_dir=place)
            return list(opened)
        except (DatasetGenerationError, ValueError, TypeError) as error:
            raise Refused(f"datasets cannot read such rows: {_first_line(error)}") from error


def _dataset(rows: list[Row], **how: Any) -> Iterable[Row]:
    import datasets

    try:
        made: Any = datasets.Dataset.from_list(rows, **how)
        return list(made)
    except (ValueError, TypeError, OverflowError) as error:  # pyarrow's errors are among them
        raise Refused(f"datasets cannot read such rows: {_first_line(error)}") from error


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    import datasets

    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__


def _line(talk: Conversation) -> bytes:
    return row_line(
        SftRow(
            id="audit",
            tools=json_text(list(talk.tools)),
            prompt=talk.messages[: talk.opening],
            completion=talk.messages[talk.opening :],
        )
    )


def _compare(counter: Counter, before: list[Row], after: Iterable[Row], column: str) -> None:
    for one, other in zip(before, after, strict=True):
        calls = zip(_calls(one[column]), _calls(other[column]), strict=True)
        counter.add_all("" if mine == read else _changed(mine, read) for mine, read in calls)


def _calls(messages: Iterable[Message]) -> list[dict[str, Any]]:
    return [_call(call["function"]) for message in messages for call in message.get("tool_calls") or ()]


def _call(function: dict[str, Any]) -> dict[str, Any]:
    """A call with its arguments as values, however they are stored."""
    arguments = function["arguments"]
    return {**function, "arguments": orjson.loads(arguments) if isinstance(arguments, str) else arguments}


def _changed(before: dict[str, Any], after: dict[str, Any]) -> str:
    return f"{before['name']}({_shown(before)}) becomes {after['name']}({_shown(after)})"


def _shown(call: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in call["arguments"].items())[:160]
