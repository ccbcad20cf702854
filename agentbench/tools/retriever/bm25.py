"""Embedded BM25 over title and text, on disk, by tantivy: milliseconds to open, no server.

Scores are tantivy's BM25 (k1 = 1.2, b = 0.75) of each field, summed, the title at half weight. Words are lower-cased,
stripped of accents and cut to their English stem; scripts that write without spaces are not taken apart.

Of a query only its words count: it is analysed here and never parsed, so nothing in it is query syntax.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import tantivy

from agentbench.errors import DataError, PreflightError, RetrieverError
from agentbench.tools.retriever import Document, Hit

MAX_QUERY_CHARS = 10_000
MAX_QUERY_WORDS = 64
"""Different words of a query that are looked up, the first ones."""
TITLE_WEIGHT = 0.5
BUILD_COMMAND = "python -m agentbench.prepare"
_ANALYZER = "words"
_WRITER_BYTES = 512 * 1024 * 1024
"""Memory limit of the writer, taken as needed: a collection that fits becomes one segment."""


def build_index(folder: Path, documents: Sequence[Document]) -> None:
    """Writes an index of the documents; the same documents give the same search results, in whatever order they come.

    One writer thread and one commit, in the order of ids: documents that score alike then come out in that order.

    Raises:
        PreflightError: the folder holds something already, or cannot be written.
        DataError: two documents have the same id.
    """
    ordered = sorted(documents, key=lambda document: document.id)
    for before, after in pairwise(ordered):
        if before.id == after.id:
            raise DataError(folder, f"two documents have the id {after.id!r}; each needs its own")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise PreflightError(f"{folder} is not empty; an index needs a folder of its own")
        _write(folder, ordered)
    except (OSError, ValueError) as error:
        raise PreflightError(f"the index in {folder} cannot be written: {_first_line(error)}") from error


class Bm25Retriever:
    """Search over one index that `build_index` wrote; safe to share between all episodes of an event loop."""

    def __init__(self, folder: Path) -> None:
        """Opens the index.

        Raises:
            PreflightError: there is no index in the folder.
            DataError: it is damaged, or not one of ours.
        """
        if not (folder / "meta.json").is_file():
            raise PreflightError(f"no search index in {folder}", BUILD_COMMAND)
        try:
            index = tantivy.Index.open(str(self._lockable(folder)))
            self._analyzer = _analyzer()
            index.register_tokenizer(_ANALYZER, self._analyzer)
            index.config_reader("manual")
            self._schema = index.schema
            self._searcher = index.searcher()
            self._hits(["index"], 1)
        except (OSError, ValueError) as error:
            problem = f"the search index cannot be read: {_first_line(error)}"
            raise DataError(folder, problem, next_step=BUILD_COMMAND) from error

    def _lockable(self, folder: Path) -> Path:
        """The folder, or a copy of one that cannot be written: the engine locks by a file beside what it opens."""
        if os.access(folder, os.W_OK):
            return folder
        copy = Path(tempfile.mkdtemp(prefix="agentbench-index-"))
        weakref.finalize(self, shutil.rmtree, copy, ignore_errors=True)
        return Path(shutil.copytree(folder, copy / "index"))

    async def search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        """At most `top_k` documents that share a word with the query, best first, equal scores by id.

        Runs inline: a query takes well under a millisecond at the size of our collections.

        Raises:
            RetrieverError: the index was damaged after it was opened.
        """
        # Half a surrogate pair is legal JSON but no text.
        text = query[:MAX_QUERY_CHARS].encode("utf-8", "replace").decode()
        words = list(dict.fromkeys(self._analyzer.analyze(text)))[:MAX_QUERY_WORDS]
        try:
            return self._hits(words, top_k) if words else ()
        except (OSError, ValueError) as error:
            raise RetrieverError(f"the search index fails: {_first_line(error)}", BUILD_COMMAND) from error

    def _hits(self, words: list[str], top_k: int) -> tuple[Hit, ...]:
        query = tantivy.Query.boolean_query(
            [(tantivy.Occur.Should, part) for word in words for part in self._word_queries(word)]
        )
        found = self._searcher.search(query, top_k, count=False).hits
        return tuple(Hit(self._document(address), score) for score, address in found)

    def _word_queries(self, word: str) -> tuple[tantivy.Query, tantivy.Query]:
        in_text = tantivy.Query.term_query(self._schema, "text", word, "freq")
        in_title = tantivy.Query.term_query(self._schema, "title", word, "freq")
        return in_text, tantivy.Query.boost_query(in_title, TITLE_WEIGHT)

    def _document(self, address: tantivy.DocAddress) -> Document:
        stored = self._searcher.doc(address)
        return Document(stored["id"][0], stored["title"][0], stored["text"][0])


def _write(folder: Path, documents: Sequence[Document]) -> None:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    for name in ("title", "text"):
        builder.add_text_field(name, stored=True, tokenizer_name=_ANALYZER, index_option="freq")
    index = tantivy.Index(builder.build(), str(folder))
    index.register_tokenizer(_ANALYZER, _analyzer())
    writer = index.writer(_WRITER_BYTES, 1)
    for document in documents:
        writer.add_document(tantivy.Document(id=document.id, title=document.title, text=document.text))
    writer.commit()
    writer.wait_merging_threads()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:160]


def _analyzer() -> tantivy.TextAnalyzer:
    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(41))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
        .filter(tantivy.Filter.stemmer("english"))
        .build()
    )
