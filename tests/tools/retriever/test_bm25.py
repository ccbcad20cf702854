from __future__ import annotations

import asyncio
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.errors import DataError, PreflightError
from agentbench.tools.retriever import Document
from agentbench.tools.retriever.bm25 import Bm25Retriever, build_index

DOCUMENTS = (
    Document("iron", "Iron", "A metal that rusts in damp air."),
    Document("neon", "Neon", "A noble gas that glows in red signs."),
    Document("rust", "Corrosion", "Iron is eaten away by oxygen; painting it helps."),
    Document("café", "Café Müller", "A dance piece about doors and chairs."),
)


def ids(retriever: Bm25Retriever, query: str, top_k: int = 10) -> list[str]:
    return [hit.document.id for hit in asyncio.run(retriever.search(query, top_k))]


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Bm25Retriever:
    folder = tmp_path_factory.mktemp("index")
    build_index(folder, DOCUMENTS)
    return Bm25Retriever(folder)


def test_documents_come_back_whole_best_first(retriever: Bm25Retriever) -> None:
    hits = asyncio.run(retriever.search("iron metal", 10))
    assert [hit.document for hit in hits] == [DOCUMENTS[0], DOCUMENTS[2]]
    assert hits[0].score > hits[1].score > 0


def test_at_most_top_k_come_back(retriever: Bm25Retriever) -> None:
    assert len(ids(retriever, "a that iron", 10)) == 4
    assert len(ids(retriever, "a that iron", 2)) == 2


@pytest.mark.parametrize(("query", "found"), [("rusting", "iron"), ("PAINTED", "rust"), ("cafe muller", "café")])
def test_word_forms_case_and_accents_do_not_matter(retriever: Bm25Retriever, query: str, found: str) -> None:
    assert ids(retriever, query) == [found]


@pytest.mark.parametrize("query", ["", "   ", "?!*", "zirconium", "\x00", "\ud800"])
def test_a_query_without_known_words_finds_nothing(retriever: Bm25Retriever, query: str) -> None:
    assert ids(retriever, query) == []


@pytest.mark.parametrize(
    "query", ["title:glows", "-glows", "+zirconium glows", '"glows', "glows^9 (", "glows~2 [a TO", "id:glows\\"]
)
def test_nothing_in_a_query_is_syntax(retriever: Bm25Retriever, query: str) -> None:
    assert ids(retriever, query, 1) == ["neon"]


@settings(deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_any_text_can_be_asked(retriever: Bm25Retriever, query: str) -> None:
    assert set(ids(retriever, query)) <= {"iron", "neon", "rust", "café"}


def test_of_a_long_query_the_first_64_different_words_count(retriever: Bm25Retriever) -> None:
    padding = " ".join(f"w{i}" for i in range(63))
    assert ids(retriever, f"{padding} {padding} glows") == ["neon"]
    assert ids(retriever, f"{padding} other glows") == []


def test_equal_scores_come_in_the_order_of_ids_however_the_documents_came(tmp_path: Path) -> None:
    alike = [Document(f"d{i:03}", "Same", "the very same words") for i in range(300)]
    random.Random(5).shuffle(alike)
    build_index(tmp_path / "index", alike)
    assert ids(Bm25Retriever(tmp_path / "index"), "same words", 5) == ["d000", "d001", "d002", "d003", "d004"]


def test_no_documents_make_an_index_that_finds_nothing(tmp_path: Path) -> None:
    build_index(tmp_path / "index", [])
    assert ids(Bm25Retriever(tmp_path / "index"), "iron") == []


@pytest.fixture
def own_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, where this user may mount one."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def test_an_index_on_a_read_only_disk_is_searched_in_a_copy_that_goes_with_it(own_disk: Path) -> None:
    build_index(own_disk / "index", DOCUMENTS)
    subprocess.run(["mount", "-o", "remount,ro", own_disk], check=True)
    before = set(Path(tempfile.gettempdir()).glob("agentbench-index-*"))
    retriever = Bm25Retriever(own_disk / "index")
    (copy,) = set(Path(tempfile.gettempdir()).glob("agentbench-index-*")) - before
    assert ids(retriever, "iron metal") == ["iron", "rust"]
    del retriever
    assert not copy.exists()


def test_two_documents_of_one_id_are_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two documents have the id 'iron'"):
        build_index(tmp_path / "index", [*DOCUMENTS, DOCUMENTS[0]])


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(PreflightError, match="is not empty"):
        build_index(tmp_path, DOCUMENTS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_missing_index_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="no search index in") as caught:
        Bm25Retriever(tmp_path)
    assert caught.value.next_step == "python -m agentbench.prepare"


@pytest.mark.parametrize("suffix", [".term", ".store", ".idx", "meta.json"])
def test_a_cut_short_index_is_one_clear_line(tmp_path: Path, suffix: str) -> None:
    build_index(tmp_path, DOCUMENTS)
    (file,) = (path for path in tmp_path.iterdir() if path.name.endswith(suffix) and not path.name.startswith("."))
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="the search index cannot be read") as caught:
        Bm25Retriever(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_index_of_another_program_is_a_data_error(tmp_path: Path) -> None:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("body", stored=True)
    tantivy.Index(builder.build(), str(tmp_path))
    with pytest.raises(DataError, match="the search index cannot be read"):
        Bm25Retriever(tmp_path)
