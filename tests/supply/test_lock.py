"""The lock files hold what pyproject.toml asks for, every file with its hash, and no address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from supply.lock import EXTRAS, LOCK, PYPROJECT, ROOT, TORCH_LOCK, Pin, disagreements, read_pins, requirements

LOCKS = (LOCK, TORCH_LOCK)


def locked() -> list[Pin]:
    return [pin for lock in LOCKS for pin in read_pins(lock)]


def test_what_the_project_asks_for_is_locked_in_its_range() -> None:
    assert disagreements(PYPROJECT, locked()) == []


def test_every_package_has_a_version_and_a_hash() -> None:
    assert [pin.name for pin in locked() if not pin.version or not pin.hashes] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_index_and_no_place(lock: Path) -> None:
    assert re.findall(r"index-url|find-links|://|file:|@ ", lock.read_text(encoding="utf-8")) == []


def test_setup_installs_the_extras_that_are_locked() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"\nEXTRAS := {','.join(EXTRAS)}\n" in makefile


def test_pytorch_and_its_cuda_libraries_stand_apart() -> None:
    apart = {pin.name for pin in read_pins(TORCH_LOCK)}
    assert "torch" in apart and not {pin.name for pin in read_pins(LOCK)} & apart


PLANTED = """
[project]
name = "agentbench"
dependencies = ["orjson>=3.11,<4", "Not_There"]
[project.optional-dependencies]
test = ["agentbench[mcp]"]
mcp = ["mcp>=3"]
"""


def test_a_range_that_the_lock_leaves_is_named_and_so_is_a_package_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PLANTED)
    pins = [Pin("orjson", "3.13.0", "", ()), Pin("mcp", "2.3.0", "", ())]
    assert disagreements(tmp_path / "pyproject.toml", pins) == ["Not_There is not locked", "mcp>=3 is locked at 2.3.0"]


def test_extras_of_extras_count(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PLANTED)
    assert [wanted.name for wanted in requirements(tmp_path / "pyproject.toml")] == ["Not_There", "mcp", "orjson"]


A_PIN = f"numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:{'ab' * 32}\n    # via agentbench\n"


def test_a_pin_is_read_with_marker_and_hashes(tmp_path: Path) -> None:
    (tmp_path / "a.lock").write_text("# made by a test\n" + A_PIN)
    (pin,) = read_pins(tmp_path / "a.lock")
    assert pin == Pin("numpy", "2.4.6", "python_full_version < '3.12'", (f"sha256:{'ab' * 32}",))


@pytest.mark.parametrize("line", ["--index-url https://example.org/simple", "torch @ file:///somewhere\n"])
def test_a_line_that_is_no_pin_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.lock").write_text(A_PIN + line)
    with pytest.raises(ValueError, match=re.escape(line.strip())):
        read_pins(tmp_path / "a.lock")
