"""Folders of text become passages; simple statements in them become facts about rows of the database."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentbench.errors import DataError, PreflightError
from agentbench.worlds.domain import Corpus, Domain, Field, Role, Table
from agentbench.worlds.own_documents import read_passages
from agentbench.worlds.own_facts import own_corpus

FIELDS = (Field("name", "name", Role.NAME, values="firms"), Field("city", "city", Role.GROUP, values="city"))
DOMAIN = Domain("x", "X", "X", "", "", (Table("firms", "firm", "firms", "name", FIELDS),), (), ())
ROWS = {
    "firms": [
        {"name": "Acme", "city": "Oslo"},
        {"name": "Acme Foods", "city": "Rome"},
        {"name": "Hooli", "city": "Oslo"},
    ]
}


def corpus(tmp_path: Path, **texts: str) -> Corpus:
    for name, text in texts.items():
        (tmp_path / f"{name}.md").write_text(text)
    return own_corpus(DOMAIN, ROWS, read_passages(tmp_path, print))


def facts(found: Corpus) -> set[tuple[str, str, object]]:
    return {(item.entity, item.fact.noun, item.values[0]) for item in found.stated}


def test_headings_cut_a_file_and_lead_every_passage(tmp_path: Path):
    (tmp_path / "firms.md").write_text("# Firms\nintro\n## Acme\nmakes anvils\n## Hooli\nmakes boxes\n")
    passages = read_passages(tmp_path, print)
    titles = [passage.document.title for passage in passages]
    assert titles == ["Firms", "Firms: Acme", "Firms: Hooli"]
    assert passages[1].headings == ("Acme", "Firms", "firms")
    assert passages[1].document.text == "makes anvils"


def test_long_texts_are_cut_between_sentences_near_120_words(tmp_path: Path):
    (tmp_path / "long.txt").write_text(" ".join(f"Sentence number {n} has six words." for n in range(60)))
    lengths = [len(passage.document.text.split()) for passage in read_passages(tmp_path, print)]
    assert lengths == [120, 120, 120]


def test_a_binary_file_is_named(tmp_path: Path):
    (tmp_path / "good.txt").write_text("text")
    (tmp_path / "picture.txt").write_bytes(b"\x89PNG\0\0")
    with pytest.raises(DataError, match=r"picture\.txt: a binary file, not text"):
        read_passages(tmp_path, print)


def test_a_file_in_another_encoding_is_named_with_the_place(tmp_path: Path):
    (tmp_path / "old.txt").write_bytes("caf\xe9".encode("latin-1"))
    with pytest.raises(DataError, match=r"old\.txt: not UTF-8 text: byte 0xe9 at position 3"):
        read_passages(tmp_path, print)


def test_a_folder_without_text_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="no documents"):
        read_passages(tmp_path, print)
    with pytest.raises(PreflightError, match="no folder of documents"):
        read_passages(tmp_path / "none", print)


def test_lines_of_key_and_value_are_facts_about_the_heading(tmp_path: Path):
    found = corpus(tmp_path, firms="## Acme\n**Founder:** Ann Lee\n- Staff: 120\n")
    assert facts(found) == {("Acme", "founder", "Ann Lee"), ("Acme", "staff", 120)}


def test_sentences_of_two_simple_forms_are_facts_about_the_entity_they_name(tmp_path: Path):
    found = corpus(
        tmp_path, firms="The founder of Acme is Ann Lee. Hooli's slogan is Be nice. The weather of May was 3.5 mild."
    )
    assert facts(found) == {("Acme", "founder", "Ann Lee"), ("Hooli", "slogan", "Be nice")}


def test_of_two_names_the_longer_one_is_meant(tmp_path: Path):
    found = corpus(
        tmp_path, note="Acme Foods opened a shop. Its doors are green and rather wide at the top.\nFounder: Bo Park"
    )
    assert facts(found) == {("Acme Foods", "founder", "Bo Park")}


def test_what_the_database_knows_too_and_what_is_stated_differently_is_no_fact(tmp_path: Path):
    found = corpus(tmp_path, one="## Acme\nSeat: Oslo\nBoss: Ann\n", two="## Acme\nBoss: Bob\nMotto: Go on\n")
    assert facts(found) == {("Acme", "motto", "Go on")}


def test_values_that_name_rows_are_known_to_lead_there(tmp_path: Path):
    found = corpus(tmp_path, firms="## Acme\nRival: Hooli\n")
    assert found.stated[0].fact.values == "firms"


def test_a_sentence_about_one_entity_is_quoted_without_its_name(tmp_path: Path):
    found = corpus(
        tmp_path,
        firms="## Hooli\nIn winter Hooli sends warm blankets to every school. Hooli sits in Oslo since the war.",
    )
    assert [(quote.entity, quote.text) for quote in found.quotes] == [
        ("Hooli", "In winter … sends warm blankets to every school")
    ]


def test_files_of_other_kinds_are_left_out_and_reported(tmp_path):
    (tmp_path / "a.md").write_text("Heat is long.")
    (tmp_path / "scan.pdf").write_bytes(b"%PDF\0")
    said: list[str] = []
    assert len(read_passages(tmp_path, said.append)) == 1
    assert "left out 1 files" in said[0] and "scan.pdf" in said[0]


@pytest.mark.parametrize(
    "names", [("日本.txt", "中国.txt"), ("a b.txt", "a_b.txt"), ("x" * 50 + "1.md", "x" * 50 + "2.md")]
)
def test_files_whose_names_look_alike_as_identifiers_are_told_apart(tmp_path: Path, names: tuple[str, str]):
    for name in names:
        (tmp_path / name).write_text(f"This is {name}.")
    found = {passage.document.id: passage.document.text for passage in read_passages(tmp_path, print)}
    assert sorted(found.values()) == sorted(f"This is {name}." for name in names)


def test_texts_without_sentence_ends_are_cut_between_words(tmp_path: Path):
    (tmp_path / "long.txt").write_text(" ".join(f"word{n}" for n in range(250)))
    texts = [passage.document.text for passage in read_passages(tmp_path, print)]
    assert [len(text.split()) for text in texts] == [120, 120, 10]
    assert texts[1].startswith("word120 ") and texts[1].endswith(" word239")


def test_texts_without_blanks_are_cut_between_characters(tmp_path: Path):
    (tmp_path / "long.txt").write_text("語" * 7210)
    # 241 pieces of 30 characters, the last of 10; 120 pieces a passage.
    assert [len(passage.document.text) for passage in read_passages(tmp_path, print)] == [3600, 3600, 10]
