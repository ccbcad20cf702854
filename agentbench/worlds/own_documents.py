"""A user's folder of text as passages of about 120 words, each under the headings it stands below.

Reads .txt and .md files in UTF-8, folder by folder in alphabetical order; other files are not looked at. In Markdown
`#` lines are headings; a text file's heading is its name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from agentbench.errors import DataError, PreflightError
from agentbench.tools.retriever import Document
from agentbench.worlds.names import slug

PASSAGE_WORDS = 120
WORD_CHARACTERS = 30
"""What a longer run of characters counts as several words by, as in languages that put no blanks between words."""
SUFFIXES = (".txt", ".md")


class Passage(NamedTuple):
    """A document and the headings above it, the nearest first; the last is the file's name in words."""

    document: Document
    headings: tuple[str, ...]


class _Section(NamedTuple):
    headings: tuple[str, ...]
    text: str


def read_passages(folder: Path, report: Callable[[str], None]) -> tuple[Passage, ...]:
    """The passages of all text files below a folder; files of other kinds are left out, and reported.

    Raises:
        PreflightError: there is no such folder.
        DataError: it holds no text, or a file that is not UTF-8 text, which is named.
    """
    if not folder.is_dir():
        raise PreflightError(f"no folder of documents at {folder}", "give a folder as documents=…")
    everything = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [path for path in everything if path.suffix.lower() in SUFFIXES]
    others = [path for path in everything if path.suffix.lower() not in SUFFIXES]
    if not files:
        raise DataError(folder, f"no documents: no file here ends in {' or '.join(SUFFIXES)}")
    if others:
        report(
            f"{folder}: left out {len(others)} files that end in neither {' nor '.join(SUFFIXES)}: {others[0].name} …"
        )
    names = _identifiers([path.relative_to(folder) for path in files])
    found = tuple(passage for path, name in zip(files, names, strict=True) for passage in _passages(path, name))
    if not found:
        raise DataError(folder, f"no documents: its {len(files)} text files are empty")
    return found


def _identifiers(files: list[Path]) -> Iterator[str]:
    """A different identifier for each file, also where names differ only in characters that identifiers leave out."""
    times: Counter[str] = Counter()
    for file in files:
        name = slug("_".join(file.with_suffix("").parts), "file") + file.suffix.lower().replace(".", "-")
        times[name] += 1
        yield name if times[name] == 1 else f"{name}_{times[name]}"


def _passages(path: Path, name: str) -> Iterator[Passage]:
    number = 0
    for section in _sections(_read(path), path.stem.replace("_", " ").replace("-", " ").strip()):
        for text in _pieces(section.text):
            number += 1
            yield Passage(Document(f"{name}-{number:03d}", _title(section.headings), text), section.headings)


def _title(headings: tuple[str, ...]) -> str:
    """`acme: History`: the way down to a passage, repetitions left out."""
    different: dict[str, str] = {}
    for heading in headings:
        different.setdefault(heading.casefold(), heading)
    return ": ".join(reversed(different.values()))


def _read(path: Path) -> str:
    content = path.read_bytes()
    if b"\0" in content:
        raise DataError(path, "a binary file, not text", next_step="move it out of the folder, or rename it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 text: byte {content[error.start]:#04x} at position {error.start}"
        raise DataError(path, problem, next_step="save it as UTF-8") from None


def _sections(text: str, stem: str) -> Iterator[_Section]:
    levels: list[tuple[int, str]] = []
    lines: list[str] = []
    for line in text.splitlines():
        heading = re.match(r"(#{1,6})\s+(.+?)\s*#*\s*$", line)
        if heading is None:
            lines.append(line)
            continue
        yield _Section(_headings(levels, stem), "\n".join(lines))
        lines = []
        levels = [(level, title) for level, title in levels if level < len(heading[1])]
        levels.append((len(heading[1]), heading[2]))
    yield _Section(_headings(levels, stem), "\n".join(lines))


def _headings(levels: list[tuple[int, str]], stem: str) -> tuple[str, ...]:
    return (*(title for _, title in reversed(levels)), stem)


def _pieces(text: str) -> Iterator[str]:
    """Paragraphs put together up to the length of a passage; longer ones are cut between sentences, or else words."""
    piece: list[str] = []
    length = 0
    for part in chain.from_iterable(map(_cut, _parts(text))):
        words = len(_words(part))
        if piece and length + words > PASSAGE_WORDS:
            yield "\n".join(piece)
            piece, length = [], 0
        piece.append(part)
        length += words
    if piece:
        yield "\n".join(piece)


def _parts(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
        if any(re.match(r"([-*]\s+)?[*\w][\w *()/-]{0,40}:\s", line) for line in lines):
            yield from lines
        elif lines:
            joined = " ".join(lines)
            yield from re.split(r"(?<=[.!?])\s+(?=[A-Z])", joined) if len(_words(joined)) > PASSAGE_WORDS else [joined]


def _cut(part: str) -> Iterator[str]:
    words = _words(part)
    if len(words) <= 2 * PASSAGE_WORDS:
        yield part
        return
    for start in range(0, len(words), PASSAGE_WORDS):
        yield "".join(words[start : start + PASSAGE_WORDS]).strip()


def _words(text: str) -> list[str]:
    """Words with the blanks before them, long ones in pieces; put together they are the text."""
    return re.findall(rf"\s*\S{{1,{WORD_CHARACTERS}}}", text)
