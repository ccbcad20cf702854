"""Files of rows open with `datasets`, and every message comes back as it was written."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from agentbench.training_data.features import dataset_features
from agentbench.training_data.rows import PreferenceRow, Row, SftRow, row_line

from .test_rows import CALL, EXAMPLE, PAIR


def loaded(folder: Path, rows: list[Row], **settings: Any) -> list[dict[str, Any]]:
    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()
    path = folder / "rows.jsonl"
    path.write_bytes(b"".join(row_line(row) for row in rows))
    return list(load_dataset("json", data_files=str(path), split="train", cache_dir=str(folder / "cache"), **settings))


def call(arguments: Any) -> tuple[dict[str, Any], ...]:
    function = {"name": "f", "arguments": arguments}
    return ({"role": "assistant", "content": "", "tool_calls": [{**CALL, "function": function}]},)


ARGUMENTS = [{"a": 1}, {"b": "2020-01-01"}, {"a": "1", "c": [None, 1.5]}, {}]
TEXTS = [dataclasses.replace(PAIR, chosen=call(json.dumps(arguments))) for arguments in ARGUMENTS]


def test_rows_open_as_they_stand_and_arguments_gain_nothing(tmp_path: Path) -> None:
    found = loaded(tmp_path, [*TEXTS])
    assert found == [json.loads(row_line(row)) for row in TEXTS]


def test_supervised_rows_open_too(tmp_path: Path) -> None:
    row = dataclasses.replace(EXAMPLE, prompt=PAIR.prompt, completion=PAIR.chosen)
    assert loaded(tmp_path, [row, row]) == 2 * [json.loads(row_line(row))]
    assert loaded(tmp_path, [row], features=dataset_features(SftRow)) == [json.loads(row_line(row))]


def test_arguments_that_are_objects_come_back_whole_with_our_features(tmp_path: Path) -> None:
    dates = [
        dataclasses.replace(PAIR, chosen=call({"a": "2020-01-01"})),
        dataclasses.replace(PAIR, chosen=call({"a": "x"})),
    ]
    rows = [*dates[:1], *(dataclasses.replace(PAIR, chosen=call(arguments)) for arguments in ARGUMENTS), *dates]
    found = loaded(tmp_path, [*rows], features=dataset_features(PreferenceRow))
    assert found == [json.loads(row_line(row)) for row in rows]


def test_rows_of_messages_have_features_without_tokens(tmp_path: Path) -> None:
    bare = dataclasses.replace(
        PAIR, tokenizer="", prompt_ids=(), chosen_ids=(), chosen_mask=(), rejected_ids=(), rejected_mask=()
    )
    assert loaded(tmp_path, [bare], features=dataset_features(PreferenceRow, tokens=False)) == [
        json.loads(row_line(bare))
    ]


@pytest.mark.parametrize("row", TEXTS[:1])
def test_trl_takes_a_row_for_a_conversation(row: PreferenceRow) -> None:
    from trl.data_utils import is_conversational

    assert is_conversational(json.loads(row_line(row)))
