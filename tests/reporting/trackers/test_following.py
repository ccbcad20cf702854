"""A training's file of metrics becomes curves."""

from __future__ import annotations

from pathlib import Path

from agentbench.reporting.trackers.following import following
from tests.reporting.trackers.conftest import Noted


def test_every_line_is_sent_once_with_training_and_validation_apart(tmp_path: Path) -> None:
    noted, path = Noted(), tmp_path / "metrics.jsonl"
    with following(path, noted):
        path.write_text('{"step": 1, "loss": 0.5, "note": "words"}\n{"step": 2, "eval_loss": 0.25}\n')
    assert noted.points == [(1, {"train/loss": 0.5}), (2, {"validation/loss": 0.25})]


def test_a_line_that_is_half_written_waits_for_its_end(tmp_path: Path) -> None:
    noted, path = Noted(), tmp_path / "metrics.jsonl"
    with following(path, noted):
        path.write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "lo')
    assert [step for step, _ in noted.points] == [1]


def test_a_training_that_goes_on_sends_the_steps_that_were_kept_and_no_others(tmp_path: Path) -> None:
    noted, path = Noted(), tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 3}\n{"step": 2, "loss": 2}\n{"step": 3, "loss": 9}\n')
    with following(path, noted):
        path.write_text('{"step": 1, "loss": 3}\n{"step": 2, "loss": 2}\n')
        with path.open("a") as file:
            file.write('{"step": 3, "loss": 1}\n')
    assert [(step, figures["train/loss"]) for step, figures in noted.points] == [(1, 3), (2, 2), (3, 1)]


def test_a_file_that_nobody_touches_says_nothing(tmp_path: Path) -> None:
    noted, path = Noted(), tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 3}\n')
    with following(path, noted):
        pass
    assert noted.points == []
