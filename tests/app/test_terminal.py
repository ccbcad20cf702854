"""What strangers wrote comes to the terminal as text and is never obeyed."""

from __future__ import annotations

import sys

import pytest
from rich.table import Table

from agentbench.app import say, show
from agentbench.app.run import _report
from agentbench.app.terminal import one_line, plain
from agentbench.errors import ConfigError, DataError

CLEARS = "\x1b[2J\x1b]0;owned\x07\r\u202e\u2066\x9b31m"


def driving(text: str) -> list[str]:
    """Characters that a terminal would obey."""
    return [char for char in text if not char.isprintable() and char not in "\n\t"]


def test_codes_of_terminals_are_written_out() -> None:
    assert plain("a\x1b[2Jb\tc\n\u202e\ud800") == "a\\x1b[2Jb\tc\n\\u202e\\ud800"
    assert plain("Größe 東京 👍") == "Größe 東京 👍" and one_line("a\nb\x07", 10) == "a b\\x07"


def test_lines_and_tables_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(title=f"[/bold]{CLEARS}")
    table.add_column("[link=http://x]name")
    table.add_row(f"[/nothing] {CLEARS} :smile:")
    say(f"read {CLEARS}")
    show(table)
    said = capsys.readouterr().out
    assert driving(said) == [] and "[link=http://x]name" in said and "[/nothing] \\x1b[2J" in said and ":smile:" in said


def test_on_a_terminal_styles_stay_and_codes_of_data_do_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    table = Table("a")
    table.add_row(CLEARS, style="bold red")
    show(table)
    said = capsys.readouterr().out
    assert "\x1b[1;31m" in said and "\x1b[2J" not in said and "\x1b]0;" not in said


def test_errors_that_quote_keys_of_files_drive_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    _report(DataError(f"a{CLEARS}.jsonl", f"unknown key {CLEARS}", 3), f"look at {CLEARS}")
    _report(ConfigError([f"a{CLEARS}: odd", f"b: {CLEARS}"]), "help")
    assert driving(capsys.readouterr().err) == [] and sys.stderr is not None
