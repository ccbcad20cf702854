"""Data files inside installed packages, found without importing the packages (which would be slow)."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files, version
from pathlib import Path

from agentbench.errors import PreflightError


def package_file(distribution: str, relative: str) -> Path:
    """The path of a package's data file.

    Raises:
        PreflightError: the package is not installed or lacks the file.
    """
    try:
        listed = files(distribution) or []
    except PackageNotFoundError:
        raise PreflightError(f"the package {distribution!r} is not installed", "pip install 'agentbench[worlds]'") from None
    for item in listed:
        if item.as_posix() == relative:
            return Path(str(item.locate()))
    raise PreflightError(f"the package {distribution!r} holds no file {relative!r}", "pip install 'agentbench[worlds]'")


def package_version(distribution: str) -> str:
    """The installed version, `absent` where there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"


def is_latin(text: str) -> bool:
    """Whether a text keeps to Latin letters (up to Latin Extended-B)."""
    return all(ord(char) < 0x250 for char in text)
