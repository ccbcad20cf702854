"""Pages about messages speak of messages that are still there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.index import INDEX, Page, index, read_pages

PAGES = read_pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_the_words_of_a_message_stand_in_its_example_and_in_the_code(page: Page) -> None:
    assert page.words in page.message
    assert page.words in page.source.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_a_page_says_what_it_means_why_it_happens_and_what_to_do(page: Page) -> None:
    parts = re.findall(r"^\*\*(.+?)\.\*\*", page.path.read_text(encoding="utf-8"), re.MULTILINE)
    assert parts == ["What it means", "Why it happens", "What to do"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_every_link_of_a_page_leads_somewhere(page: Page) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.path.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.path.parent / link).exists()] == []


def test_the_list_is_as_make_docs_writes_it() -> None:
    assert len(PAGES) >= 20 and INDEX.read_text(encoding="utf-8") == index(PAGES)


def test_a_page_without_its_facts_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A message\n")
    with pytest.raises(ValueError, match=r"a\.md lacks its line"):
        read_pages(tmp_path)
