"""Data files inside installed packages, found without importing the packages (which would be slow)."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, PackagePath, files, version
from pathlib import Path

from agentbench.errors import PreflightError

_INSTALL = "pip install 'agentbench[worlds]'"


def package_file(distribution: str, relative: str) -> Path:
    """The path of a package's data file.

    Raises:
        PreflightError: the package is not installed or lacks the file.
    """
    for item in _listed(distribution):
        if item.as_posix() == relative:
            return Path(str(item.locate()))
    raise _lacking(distribution, relative)


def package_files(distribution: str, folder: str) -> tuple[Path, ...]:
    """The JSON files of a folder inside a package, by name.

    Raises:
        PreflightError: the package is not installed or lacks the folder.
    """
    found = [item for item in _listed(distribution) if item.as_posix().startswith(folder) and item.suffix == ".json"]
    if not found:
        raise _lacking(distribution, folder)
    return tuple(Path(str(item.locate())) for item in sorted(found))


def package_version(distribution: str) -> str:
    """The installed version, `absent` where there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"


def is_latin(text: str) -> bool:
    """Whether a text keeps to Latin letters (up to Latin Extended-B)."""
    return all(ord(char) < 0x250 for char in text)


def _listed(distribution: str) -> list[PackagePath]:
    try:
        return files(distribution) or []
    except PackageNotFoundError:
        raise PreflightError(f"the package {distribution!r} is not installed", _INSTALL) from None


def _lacking(distribution: str, relative: str) -> PreflightError:
    return PreflightError(f"the package {distribution!r} holds no {relative!r}", _INSTALL)
