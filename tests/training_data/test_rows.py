"""The row format: written, read, and refused in one line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from agentbench.errors import DataError, PreflightError
from agentbench.training_data.identity import tokenizer_fingerprint
from agentbench.training_data.rows import (
    PreferenceRow,
    Row,
    SftRow,
    read_preferences,
    read_rows,
    read_supervised,
    refuse_other_tokenizer,
    row_line,
    rows_identity,
)

CALL = {"id": "call00000", "type": "function", "function": {"name": "f", "arguments": '{"a": "1"}'}}
PAIR = PreferenceRow(
    id="t:1",
    task="t",
    domain="films",
    kind="call_over_final",
    margin=0.5,
    chosen_category="gold_call",
    rejected_category="wrong_final",
    template="tiny",
    tools="[]",
    prompt=({"role": "user", "content": "?"},),
    chosen=({"role": "assistant", "content": "", "tool_calls": [CALL]},),
    rejected=({"role": "assistant", "content": "no"},),
    tokenizer="abc",
    prompt_ids=(1, 2),
    chosen_ids=(3, 4),
    chosen_mask=(1, 0),
    rejected_ids=(5,),
    rejected_mask=(1,),
)
EXAMPLE = SftRow("t:1", (1, 2, 3), (0, 1, 1), "t", "films", "agent", tokenizer="abc", template="tiny")


def written(folder: Path, *rows: Row) -> Path:
    path = folder / "rows.jsonl"
    path.write_bytes(b"".join(row_line(row) for row in rows))
    return path


def damaged(folder: Path, **values: object) -> Path:
    """A good line, then one with other values; `None` takes a key away."""
    changed = {key: value for key, value in (json.loads(row_line(PAIR)) | values).items() if value is not None}
    path = written(folder, PAIR)
    path.write_bytes(path.read_bytes() + json.dumps(changed).encode())
    return path


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    assert list(read_preferences(written(tmp_path, PAIR, PAIR))) == [PAIR, PAIR]
    assert list(read_supervised(written(tmp_path, EXAMPLE))) == [EXAMPLE]


def test_rows_without_tokens_have_no_columns_of_tokens(tmp_path: Path) -> None:
    bare = dataclasses.replace(
        PAIR, tokenizer="", prompt_ids=(), chosen_ids=(), chosen_mask=(), rejected_ids=(), rejected_mask=()
    )
    assert not any(key.endswith(("_ids", "_mask")) for key in json.loads(row_line(bare)))
    assert list(read_rows(written(tmp_path, bare))) == [bare]


def test_integers_beyond_64_bits_survive(tmp_path: Path) -> None:
    huge = {**CALL, "function": {"name": "f", "arguments": {"n": 2**70}}}
    row = dataclasses.replace(PAIR, chosen=({"role": "assistant", "content": "", "tool_calls": [huge]},))
    assert list(read_rows(written(tmp_path, row))) == [row]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"chosen_mask": [1]}, "chosen_ids has 2 entries and its mask 1"),
        ({"rejected_mask": [2]}, "the mask of rejected_ids holds something else than 0 and 1"),
        ({"chosen_ids": [], "chosen_mask": []}, "chosen_ids is empty"),
        ({"tokenizer": ""}, "chosen_ids belongs to no tokenizer"),
        ({"tokenizer": "def"}, "tokenizer='def'"),
        ({"format": "preference/2"}, "is preference/2, written by a newer agentbench"),
        ({"format": None}, "format None is none of"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"task": None}, "task: "),
        ({"chosen_ids": [3, "x"]}, "chosen_ids.1: "),
    ],
)
def test_a_damaged_line_is_named_with_what_is_wrong(tmp_path: Path, values: dict, complaint: str) -> None:
    with pytest.raises(DataError) as caught:
        list(read_rows(damaged(tmp_path, **values)))
    message = str(caught.value)
    assert "rows.jsonl, line 2: " in message and complaint in message and "\n" not in message


@pytest.mark.parametrize("line", [b"{", b"[]", b"3", b"\xff", b"\n"])
def test_what_is_no_row_is_named(tmp_path: Path, line: bytes) -> None:
    path = written(tmp_path, PAIR)
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(DataError, match=r"line 2: (not JSON|format None is none of)"):
        list(read_rows(path))


def test_an_empty_or_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no rows"):
        list(read_rows(written(tmp_path)))
    with pytest.raises(PreflightError, match=r"nowhere\.jsonl cannot be read: No such file"):
        list(read_rows(tmp_path / "nowhere.jsonl"))


def test_rows_of_the_other_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds sft/1 rows, not preferences"):
        list(read_preferences(written(tmp_path, EXAMPLE)))
    with pytest.raises(DataError, match="holds preference/1 rows, not supervised ones"):
        list(read_supervised(written(tmp_path, PAIR)))


def test_rows_of_another_tokenizer_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, PAIR)
    assert rows_identity(path) == ("preference/1", "tiny", "abc")
    refuse_other_tokenizer(path, "abc")
    with pytest.raises(DataError, match="its token ids belong to the tokenizer abc, the model's is def"):
        refuse_other_tokenizer(path, "def")


def test_rows_of_messages_are_refused_where_tokens_are_needed(tmp_path: Path) -> None:
    bare = dataclasses.replace(EXAMPLE, tokenizer="", input_ids=(), completion_mask=())
    with pytest.raises(DataError, match="holds messages only: it was built with template=teacher"):
        refuse_other_tokenizer(written(tmp_path, bare), "abc")


def test_a_fingerprint_is_the_tokenizers_behaviour(letters, words) -> None:
    assert tokenizer_fingerprint(letters) == tokenizer_fingerprint(letters) != tokenizer_fingerprint(words)
    assert len(tokenizer_fingerprint(letters)) == 16
