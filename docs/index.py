"""Writes docs/failures/README.md, the list of the pages beside it: `make docs`.

A page explains one message: its title, the message as it was printed, a line with the exit code, the words of it that
never change and the file they come from, then what it means, why it happens and what to do.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "failures"
INDEX = FOLDER / "README.md"

_HEAD = """# Messages explained

A failure is one line `error: …`, what to do as `next: …`, and an exit code: 1 a bug of ours, 2 configuration, 3 more
failed episodes than allowed, 4 interrupted, 5 something is missing or broken outside, 6 a self-check did not hold. Most
say all there is to say; these have a page. `make docs` writes this list.

| the message holds | exit code | page |
|---|--:|---|
"""
_FACTS = re.compile(
    r"^Exit code (?P<code>[1-6]) · holds `(?P<words>[^`]+)` · from \[[^]]+]\((?P<source>[^)]+)\)$", re.M
)


class Page(NamedTuple):
    """What can be read off a page."""

    path: Path
    title: str
    message: str
    """As it was printed, indentation taken away."""
    exit_code: int
    words: str
    """The part of the message that never changes."""
    source: Path
    """The file that holds these words."""


def main() -> int:
    """Writes the list."""
    INDEX.write_text(index(read_pages()), encoding="utf-8")
    return 0


def read_pages(folder: Path = FOLDER) -> list[Page]:
    """All pages, by exit code and title.

    Raises:
        ValueError: a page lacks its line of facts.
    """
    found = [_read(path) for path in folder.glob("*.md") if path.name != INDEX.name]
    return sorted(found, key=lambda page: (page.exit_code, page.title))


def index(pages: list[Page]) -> str:
    """The list in Markdown."""
    lines = (f"| `{page.words}` | {page.exit_code} | [{page.title}]({page.path.name}) |\n" for page in pages)
    return _HEAD + "".join(lines)


def _read(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    facts = _FACTS.search(text)
    if facts is None:
        raise ValueError(f"{path.name} lacks its line with exit code, words and source")
    title = text.partition("\n")[0].removeprefix("# ")
    message = "\n".join(line[4:] for line in text[: facts.start()].splitlines() if line.startswith("    "))
    source = (path.parent / facts["source"]).resolve()
    return Page(path, title, message, int(facts["code"]), facts["words"], source)


if __name__ == "__main__":
    sys.exit(main())
