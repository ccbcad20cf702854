"""Lists the licence of every locked package in docs/licences.md; `make licences` fails on one unknown or copyleft.

A licence is what the installed package's metadata says: its SPDX expression, else its classifiers, else its free text.
Nobody compares that with the files inside it. What is refused may be excepted by name, with the reason.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from supply.lock import LOCK, ROOT, TORCH_LOCK, Pin, read_pins

PAGE = ROOT / "docs" / "licences.md"

ALLOWED = frozenset(
    {"Apache-2.0", "MIT", "MIT-0", "MIT-CMU", "BSD", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC", "PSF-2.0"}
    | {"CNRI-Python", "Zlib", "CC0-1.0", "BSL-1.0"}
)
"""Permissive licences, as SPDX writes them; `BSD` where a package does not say which."""

EXCEPTIONS = {
    "certifi": "MPL-2.0: a list of certificates, used unchanged",
    "hypothesis": "MPL-2.0: for tests only",
    "orjson": "MPL-2.0 for some of its files, used unchanged as a package of its own",
    "tqdm": "MPL-2.0 for some of its files, used unchanged as a package of its own",
    "axe-playwright-python": "holds axe-core (MPL-2.0), for tests only",
    "nvidia-*": "NVIDIA's own terms; comes only with PyTorch's CUDA build, and a CPU build does without",
    "cuda-toolkit": "names NVIDIA's libraries and holds none; comes only with PyTorch's CUDA build",
}
"""Packages whose licence is not allowed and that are used all the same, and why; patterns of names."""

STATED = {
    "appnope": "BSD-2-Clause",
    "axe-playwright-python": "MIT AND MPL-2.0",
    "cuda-bindings": "Apache-2.0",
    "cuda-pathfinder": "Apache-2.0",
    "cuda-toolkit": "not stated",
    "httpx2-jsfetch": "BSD-3-Clause",
    "nvidia-*": "LicenseRef-NVIDIA-Proprietary",
    "pywin32": "PSF-2.0",
    "triton": "MIT",
}
"""Looked up by hand: packages for other machines than a Linux CPU one, and packages whose metadata says nothing."""

_SPDX = {
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "BSD License": "BSD",
    "3-Clause BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_HEAD = """# Licences of what is installed

Written by `make licences` from the metadata of the packages that `make setup` installs; do not edit. None of them is
part of this repository. What is allowed, and why the exceptions are, stands in `supply/licences.py`.

| package | version | licence | exception |
|---|---|---|---|
"""


class Row(NamedTuple):
    """One package of the page."""

    name: str
    version: str
    """Several where Pythons need different ones."""
    licence: str


def main() -> int:
    """Writes the page; 1 where a licence is refused."""
    rows = rows_of([*read_pins(LOCK), *read_pins(TORCH_LOCK)])
    PAGE.write_text(page(rows), encoding="utf-8")
    print(f"{len(rows)} packages in {PAGE.relative_to(ROOT)}")
    problems = refused(rows)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if problems:
        print("next: do without them, or argue an exception in supply/licences.py", file=sys.stderr)
    return 1 if problems else 0


def rows_of(pins: Sequence[Pin]) -> list[Row]:
    """A row for each package, in the order of names."""
    versions: dict[str, list[str]] = {}
    for pin in pins:
        versions.setdefault(pin.name, []).append(pin.version)
    installed = (item.metadata for item in importlib.metadata.distributions())
    found = {str(canonicalize_name(metadata["Name"])): metadata for metadata in installed}
    return [Row(name, ", ".join(versions[name]), _licence(name, found.get(name))) for name in sorted(versions)]


def refused(rows: Sequence[Row]) -> list[str]:
    """The packages whose licence is neither allowed nor excepted, one line each."""
    return [
        f"{row.name} {row.version}: the licence {row.licence!r} is not allowed"
        for row in rows
        if not is_allowed(row.licence) and not _matching(EXCEPTIONS, row.name)
    ]


def is_allowed(licence: str) -> bool:
    """Whether each part of an SPDX expression joined by AND offers, by OR, an allowed licence."""
    parts = (part.strip("() ").split(" OR ") for part in licence.split(" AND "))
    return all(any(name.partition(" WITH ")[0].strip("() ") in ALLOWED for name in part) for part in parts)


def page(rows: Sequence[Row]) -> str:
    """The page in Markdown."""
    lines = (f"| {row.name} | {row.version} | {row.licence} | {_matching(EXCEPTIONS, row.name)} |\n" for row in rows)
    return _HEAD + "".join(lines)


def read_page(path: Path) -> list[Row]:
    """The rows of a page that was written."""
    cells = [
        line.strip("|\n ").split(" | ") for line in path.read_text(encoding="utf-8").split("|---|\n")[-1].splitlines()
    ]
    return [Row(name, version, licence) for name, version, licence, *_ in cells]


def _licence(name: str, metadata: importlib.metadata.PackageMetadata | None) -> str:
    stated = _matching(STATED, name)
    if stated or metadata is None:
        return stated or "unknown"
    classifiers = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or () if "License ::" in line]
    told = [*(metadata.get_all("License-Expression") or ()), " AND ".join(map(_spdx, classifiers))]
    told += [_spdx(line.strip()) for text in metadata.get_all("License") or () for line in text.splitlines()[:1]]
    return next(filter(None, told), "unknown")


def _spdx(text: str) -> str:
    return _SPDX.get(text, re.sub(r"\s+", " ", text))


def _matching(table: dict[str, str], name: str) -> str:
    return next((text for pattern, text in table.items() if fnmatch(name, pattern)), "")


if __name__ == "__main__":
    sys.exit(main())
