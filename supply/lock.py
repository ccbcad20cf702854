"""Writes the lock files of `make setup` from pyproject.toml: every package with its version and its files' SHA-256.

uv resolves once for all Pythons and platforms. What comes out is split in two, because indexes carry different builds
of PyTorch under one version (CPU, CUDA, ROCm), which no list of hashes can hold:

- `requirements.lock`: everything else; `make setup` installs from it, and pip checks each file's hash.
- `torch.lock`: PyTorch with NVIDIA's libraries as the public index has them; `make setup LOCKED=all` checks these too.

Versions that are locked stay, unless pyproject.toml forbids them or `--upgrade` is given.

    make lock
    make lock ARGS=--upgrade
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = ROOT / "pyproject.toml"
LOCK, TORCH_LOCK = ROOT / "supply" / "requirements.lock", ROOT / "supply" / "torch.lock"
EXTRAS = ("worlds", "train", "test", "check")
"""What `make setup` installs beside the default."""
LOWEST_PYTHON = "3.11"

_HEAD = "# Written by `make lock` from pyproject.toml; do not edit. {what}\n"
_OTHER_BUILDS = re.compile(r"(torch|triton|nvidia-.+|cuda-.+)$")


class Pin(NamedTuple):
    """One package of a lock file. Where Pythons need different versions, it has one pin for each."""

    name: str
    version: str
    marker: str
    """Where it is installed, in the language of PEP 508; empty: everywhere."""
    hashes: tuple[str, ...]
    """As `sha256:…`, one for each file that may be installed."""


def main(arguments: Sequence[str]) -> int:
    """Writes both files; uv's exit code where it finds no set of versions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.lock"
        path.write_text("".join(lock.read_text(encoding="utf-8") for lock in (LOCK, TORCH_LOCK) if lock.is_file()))
        code = subprocess.run(_uv(path, arguments), check=False, cwd=ROOT).returncode
        if code:
            return code
        pinned = list(_blocks(path.read_text(encoding="utf-8")))
    for lock, what, torch in ((LOCK, "See supply/lock.py.", False), (TORCH_LOCK, "PyTorch of the public index.", True)):
        chosen = [block for block in pinned if bool(_OTHER_BUILDS.match(_name(block))) is torch]
        lock.write_text(_HEAD.format(what=what) + "".join(chosen), encoding="utf-8")
        print(f"{len(chosen)} packages in {lock.relative_to(ROOT)}")
    return 0


def read_pins(path: Path) -> list[Pin]:
    """The packages of a lock file, in its order.

    Raises:
        ValueError: a line is neither a pin, nor a hash, nor a comment; an index's address, for example.
    """
    return [_pin(block) for block in _blocks(path.read_text(encoding="utf-8"))]


def disagreements(pyproject: Path, pins: Sequence[Pin]) -> list[str]:
    """What pyproject.toml asks for and pins do not hold: packages missing, or of a version outside the range."""
    versions: dict[str, list[str]] = {}
    for pin in pins:
        versions.setdefault(pin.name, []).append(pin.version)
    found = []
    for wanted in requirements(pyproject):
        locked = versions.get(canonicalize_name(wanted.name), [])
        if not locked:
            found.append(f"{wanted} is not locked")
        found += [f"{wanted} is locked at {version}" for version in locked if not wanted.specifier.contains(version)]
    return found


def requirements(pyproject: Path) -> list[Requirement]:
    """What a project asks for itself: its dependencies and those of `EXTRAS`, extras of extras included."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {})
    asked = [*project["dependencies"], *(line for extra in EXTRAS for line in extras.get(extra, ()))]
    wanted = []
    while asked:
        requirement = Requirement(asked.pop())
        if requirement.name == project["name"]:
            asked += [line for extra in requirement.extras for line in extras[extra]]
        else:
            wanted.append(requirement)
    return sorted(wanted, key=str)


def _uv(output: Path, arguments: Sequence[str]) -> list[str]:
    """Index addresses are not asked for, so that none is written."""
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    what = ["pyproject.toml", *extras, "--universal", "--python-version", LOWEST_PYTHON]
    how = ["--generate-hashes", "--no-header", "--quiet", "--output-file", str(output)]
    return [str(Path(sys.executable).parent / "uv"), "pip", "compile", *what, *how, *arguments]


def _blocks(text: str) -> Iterator[str]:
    """The lines of each package: its pin, its hashes, who asked for it."""
    block = ""
    for line in text.splitlines(keepends=True):
        if re.match(r"[a-z0-9]", line):
            if block:
                yield block
            block = line
        elif line.startswith("    "):
            block += line
        elif not line.startswith("#"):
            raise ValueError(f"{line.rstrip()!r} is neither a pin, nor a hash, nor a comment")
    if block:
        yield block


def _name(block: str) -> str:
    return block.partition("==")[0]


def _pin(block: str) -> Pin:
    match = re.match(r"(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\\n]+?))?(?: \\)?\n", block)
    if match is None:
        raise ValueError(f"{block.splitlines()[0]!r} is no pin")
    hashes = tuple(re.findall(r"^    --hash=(sha256:[0-9a-f]{64})(?: \\)?$", block, re.MULTILINE))
    return Pin(match["name"], match["version"], match["marker"] or "", hashes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
