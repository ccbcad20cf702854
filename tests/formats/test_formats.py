"""Versions of records: what is current passes, what is older is brought on, what is newer is refused."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from agentbench.errors import DataError
from agentbench.formats import Format
from agentbench.formats.steps import Content

FILE = Path("toys.jsonl")


def renamed(content: Content) -> Content:
    content["colour"] = content.pop("color")
    return content


def doubled(content: Content) -> Content:
    return content | {"size": 2 * content["size"]}


TOY = Format("toy", (renamed, doubled))
"""Its first step renames a key and its second one doubles a number, so that the order shows."""


def read(line: bytes, number: int | None = None) -> object:
    return orjson.loads(TOY.current_json(line, FILE, number))


def test_what_is_written_says_its_version_first() -> None:
    assert TOY.tagged(b'{"colour":"red"}') == b'{"format":"toy/3","colour":"red"}'


def test_what_is_current_passes_byte_for_byte_without_its_format() -> None:
    assert TOY.current_json(b'{"format":"toy/3","colour":"red","size":1}', FILE) == b'{"colour":"red","size":1}'


def test_what_is_current_may_be_laid_out_otherwise() -> None:
    assert read(b'{ "size": 1,\n "format": "toy/3", "colour": "red" }') == {"size": 1, "colour": "red"}


def test_what_says_no_version_goes_through_all_steps() -> None:
    assert read(b'{"color":"red","size":3}') == {"colour": "red", "size": 6}


def test_an_older_version_goes_through_the_steps_that_follow_it() -> None:
    assert read(b'{"format":"toy/2","colour":"red","size":3}') == {"colour": "red", "size": 6}


def test_numbers_that_other_readers_cut_survive_the_steps() -> None:
    line = b'{"color":"red","size":36893488147419103232}'  # 2 to the power of 65
    assert TOY.current_json(line, FILE) == b'{"size": 73786976294838206464, "colour": "red"}'


@pytest.mark.parametrize("said", [b'"toy/4"', b'"toy/4000"'])
def test_a_newer_version_is_refused_with_file_line_versions_and_advice(said: bytes) -> None:
    with pytest.raises(DataError) as refused:
        read(b'{"format":%s,"shade":"red"}' % said, 7)
    assert str(refused.value).startswith(f"toys.jsonl, line 7: is {said.decode().strip(chr(34))}, written by a newer")
    assert "reads toy up to version 3" in str(refused.value)
    assert refused.value.next_step.startswith("upgrade agentbench")


@pytest.mark.parametrize("said", [b'"ball/1"', b'"toy"', b'"toy/0"', b'"toy/-1"', b"3", b"[]", b'"toy/1/2"'])
def test_another_kind_of_record_is_refused(said: bytes) -> None:
    with pytest.raises(DataError, match="which is no toy"):
        read(b'{"format":%s,"color":"red"}' % said)


def test_what_is_not_as_its_version_was_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"toys.jsonl, line 3: is no toy of version 2: KeyError: 'size'"):
        read(b'{"format":"toy/2","colour":"red"}', 3)


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"null", b"\xff"])
def test_what_is_no_record_is_left_to_its_reader(text: bytes) -> None:
    assert TOY.current_json(text, FILE) == text
