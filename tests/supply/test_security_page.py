"""SECURITY.md names code and tests that are there."""

from __future__ import annotations

import re

from supply.lock import ROOT

PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:agentbench|tests|supply|docs)/[\w./]*)`", PAGE)))


def test_every_file_that_the_page_names_is_there() -> None:
    assert len(NAMED) > 25 and [name for name in NAMED if not (ROOT / name).exists()] == []


def test_every_make_target_that_the_page_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`make\s([a-z-]+)", PAGE))
    assert (
        targets and {target for target in targets if not re.search(rf"^{target}\b.*:", makefile, re.MULTILINE)} == set()
    )
