"""docs/licences.md lists what is locked, and nothing in it is refused."""

from __future__ import annotations

import pytest

from supply.licences import EXCEPTIONS, PAGE, Row, is_allowed, page, read_page, refused
from supply.lock import LOCK, TORCH_LOCK, read_pins

ROWS = read_page(PAGE)


def test_the_page_lists_every_locked_package_in_its_versions() -> None:
    locked = {(pin.name, pin.version) for lock in (LOCK, TORCH_LOCK) for pin in read_pins(lock)}
    assert {(row.name, version) for row in ROWS for version in row.version.split(", ")} == locked


def test_no_licence_on_the_page_is_refused() -> None:
    assert refused(ROWS) == []


def test_every_exception_is_needed_by_a_package_on_the_page() -> None:
    without = {row.name for row in ROWS if not is_allowed(row.licence)}
    names = {name for name in without if name in EXCEPTIONS} | {"nvidia-*"}
    assert names == set(EXCEPTIONS)


EXPRESSIONS = {
    "MIT": True,
    "MPL-2.0": False,
    "GPL-3.0-only": False,
    "unknown": False,
    "GPL-2.0 OR MIT": True,
    "MPL-2.0 AND (Apache-2.0 OR MIT)": False,
    "Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-2-Clause": True,
}


@pytest.mark.parametrize(("licence", "allowed"), EXPRESSIONS.items())
def test_all_parts_joined_by_and_have_to_be_allowed(licence: str, allowed: bool) -> None:
    assert is_allowed(licence) is allowed


def test_a_copyleft_package_is_named() -> None:
    assert refused([Row("new", "1.0", "GPL-3.0-only")]) == ["new 1.0: the licence 'GPL-3.0-only' is not allowed"]


def test_a_page_is_read_as_it_was_written(tmp_path) -> None:
    rows = [Row("certifi", "2026.1", "MPL-2.0"), Row("numpy", "2.4.6, 2.5.5", "BSD-3-Clause")]
    (tmp_path / "page.md").write_text(page(rows))
    assert read_page(tmp_path / "page.md") == rows
