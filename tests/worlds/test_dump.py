"""Dumps of encyclopedias: which lines are articles, how they become passages, and the index that comes of them."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path

import pytest

from agentbench.config.source import DumpSource, Quantised
from agentbench.errors import DataError, PreflightError
from agentbench.tools.retriever.quantised import read_info
from agentbench.worlds.dump import passages, prepare_dump, split
from tests.tools.retriever.conftest import LetterEncoder

ARTICLES = [{"id": "7", "title": "Iron", "text": "A metal.\n\nIt rusts."}, {"title": "Neon", "text": "A gas."}]


def lines(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def test_paragraphs_are_put_together_and_long_ones_cut_between_words() -> None:
    assert list(split("one two\nthree\nfour five six", 13)) == ["one two\nthree", "four five six"]
    assert list(split("four five six", 9)) == ["four five", "six"]
    assert list(split("abcdefgh", 3)) == ["abc", "def", "gh"]
    assert list(split(" \n\n ", 9)) == []


@pytest.mark.parametrize(("name", "pack"), [("a.jsonl", bytes), ("a.gz", gzip.compress), ("a.bz2", bz2.compress)])
def test_files_may_be_compressed(tmp_path: Path, name: str, pack: type[bytes]) -> None:
    (tmp_path / name).write_bytes(pack(lines(*ARTICLES)))
    found = list(passages(tmp_path / name, 1000))
    assert [(each.title, each.text) for each in found] == [("Iron", "A metal.\nIt rusts."), ("Neon", "A gas.")]


def test_a_folder_is_read_in_order_and_announcements_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "AB").mkdir()
    (tmp_path / "AB" / "wiki_00").write_bytes(lines({"index": {"_id": "1"}}, ARTICLES[1]))
    (tmp_path / "AA").mkdir()
    (tmp_path / "AA" / "wiki_00").write_bytes(lines(ARTICLES[0], {"title": "Empty", "text": " "}))
    assert [each.title for each in passages(tmp_path, 1000)] == ["Iron", "Neon"]


def test_what_is_no_article_is_said_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_text("<mediawiki>\n")
    with pytest.raises(DataError, match=r"dump.xml, line 1: no JSON") as caught:
        list(passages(path, 1000))
    assert "wikiextractor --json" in caught.value.next_step
    with pytest.raises(PreflightError, match="there is no such file or folder"):
        list(passages(tmp_path / "none", 1000))


def test_an_index_is_made_of_as_many_passages_as_wanted(tmp_path: Path) -> None:
    (tmp_path / "dump.jsonl").write_bytes(lines(*ARTICLES))
    source = DumpSource(path=tmp_path / "dump.jsonl", quantisation=Quantised.BINARY, limit=1)
    told: list[str] = []
    info = prepare_dump(source, LetterEncoder(), tmp_path / "index", told.append)
    assert info == read_info(tmp_path / "index") and info.documents == 1 and told == ["1 passages; encoding them"]


def test_a_dump_without_articles_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "dump.jsonl").write_bytes(lines({"index": {}}))
    with pytest.raises(DataError, match="holds no article"):
        prepare_dump(DumpSource(path=tmp_path / "dump.jsonl"), LetterEncoder(), tmp_path / "i", lambda line: None)
