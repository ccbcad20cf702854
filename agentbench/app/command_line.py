"""The flags of a command line, which are Hydra's, told apart from its overrides."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from agentbench.errors import ConfigError


class CommandLine(NamedTuple):
    """What the user typed."""

    arguments: tuple[str, ...]
    """Everything, in order."""
    overrides: tuple[str, ...]
    multirun: bool
    config_dir: Path | None
    """A folder with further options, laid out like conf/; it adds to conf/ and replaces nothing there."""
    inspects: bool
    """Something is to be shown (`--cfg`, `--info` …) and nothing run."""

    @property
    def search_path(self) -> tuple[str, ...]:
        """The override by which Hydra finds the further options."""
        return (
            () if self.config_dir is None else (f"hydra.searchpath=[{quoted(f'file://{self.config_dir.absolute()}')}]",)
        )


def quoted(text: str) -> str:
    """Text as one value of Hydra's override grammar, whatever is in it."""
    return "'" + text.replace("'", r"\'") + "'"


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError([message])


def read_command_line(arguments: Sequence[str]) -> CommandLine:
    """The parts of a command line.

    Raises:
        ConfigError: a flag is unknown or lacks its value, or the folder of `--config-dir` is not there.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--multirun", "-m", action="store_true")
    parser.add_argument("--config-dir", "-cd", type=Path)
    parser.add_argument("--cfg", "-c", choices=("job", "hydra", "all"))
    parser.add_argument("--package", "-p")
    parser.add_argument("--info", "-i", nargs="?", const="all")
    for flag in ("--resolve", "--hydra-help", "--version", "--shell-completion", "-sc"):
        parser.add_argument(flag, action="store_true", dest="shows")
    found = parser.parse_intermixed_args(list(arguments))
    if found.config_dir is not None and not found.config_dir.is_dir():
        raise ConfigError([f"--config-dir: no folder {str(found.config_dir)!r}"])
    inspects = bool(found.cfg or found.package or found.info or found.shows)
    return CommandLine(tuple(arguments), tuple(found.overrides), found.multirun, found.config_dir, inspects)
