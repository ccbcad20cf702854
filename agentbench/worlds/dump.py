"""A dump of an encyclopedia as passages that can be searched by meaning.

Read are files of JSON lines with `title` and `text`, plain or compressed with gzip or bzip2, and folders of such files:
what WikiExtractor (`--json`) and Wikipedia's CirrusSearch dumps hold. Lines of a CirrusSearch dump that only announce
the next article are passed over. MediaWiki's own XML is not read: WikiExtractor makes JSON of it.
"""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from agentbench.config.source import DumpSource
from agentbench.errors import DataError, PreflightError
from agentbench.tools.retriever import Document
from agentbench.tools.retriever.encoders import Encoder
from agentbench.tools.retriever.quantised import DOCUMENTS, IndexInfo, Quantisation, write_index

LONGEST_LINE = 64 * 2**20
"""Bytes of the longest article, unpacked."""


def prepare_dump(source: DumpSource, encoder: Encoder, folder: Path, report: Callable[[str], None]) -> IndexInfo:
    """Writes the passages and their index into a folder, and says what it holds.

    Raises:
        PreflightError: the dump is not there.
        DataError: a line is no article, or there is none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with (folder / DOCUMENTS).open("wb") as file:
        for passage in islice(passages(source.path, source.passage_chars), source.limit):
            file.write(orjson.dumps({"id": passage.id, "title": passage.title, "text": passage.text}) + b"\n")
            count += 1
    if not count:
        raise DataError(source.path, "holds no article with a title and a text")
    report(f"{count:,} passages; encoding them")
    kind = source.encoder
    info = IndexInfo(kind.kind.value, kind.path, "", Quantisation(source.quantisation.value), 0, 0)
    return write_index(folder, encoder, info, report)


def passages(path: Path, chars: int) -> Iterator[Document]:
    """The passages of all articles, each of at most `chars` characters or one paragraph.

    Raises:
        PreflightError: there is no such file or folder.
        DataError: a line is no JSON object.
    """
    for number, (title, text) in enumerate(_articles(path)):
        for part, passage in enumerate(split(text, chars)):
            yield Document(f"{number:08d}-{part:03d}", title, passage)


def split(text: str, chars: int) -> Iterator[str]:
    """A text's paragraphs, put together as long as they fit; a longer paragraph is cut between words."""
    gathered = ""
    for paragraph in filter(None, (" ".join(line.split()) for line in text.split("\n"))):
        if gathered and len(gathered) + 1 + len(paragraph) > chars:
            yield gathered
            gathered = ""
        gathered = f"{gathered}\n{paragraph}" if gathered else paragraph
        while len(gathered) > chars:
            end = gathered.rfind(" ", 1, chars + 1)
            end = end if end > 0 else chars
            yield gathered[:end]
            gathered = gathered[end:].lstrip()
    if gathered:
        yield gathered


def _articles(path: Path) -> Iterator[tuple[str, str]]:
    if not path.exists():
        raise PreflightError(f"source.path={str(path)!r}: there is no such file or folder", "correct source.path")
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    for file in files:
        for number, line in enumerate(_lines(file), 1):
            if line.strip():
                yield from _article(file, number, line)


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, none so long that a small archive could fill the memory."""
    try:
        with _opened(path) as file:
            while line := file.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise DataError(path, f"a line of more than {LONGEST_LINE >> 20} MiB is no article")
                yield line
    except (OSError, EOFError, zlib.error) as error:  # the first one: no gzip, no bzip2, or not to be read
        raise DataError(path, f"cannot be read: {error}") from error


def _article(path: Path, number: int, line: bytes) -> Iterator[tuple[str, str]]:
    try:
        value: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        advice = "each line has to be a JSON object with title and text; `wikiextractor --json` makes such files"
        raise DataError(path, f"no JSON: {error}", number, advice) from None
    if not isinstance(value, dict):
        raise DataError(path, f"no article but {type(value).__name__}", number)
    match value:
        case {"title": str(title), "text": str(text)} if text.strip():
            yield title, text


def _opened(path: Path) -> BinaryIO:
    match path.suffix:
        case ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        case ".bz2":
            return cast(BinaryIO, bz2.open(path, "rb"))
        case _:
            return path.open("rb")
