"""A tracker that fails costs a run one line."""

from __future__ import annotations

import pytest

from agentbench.reporting.trackers import Counted, Table, Tracker
from agentbench.reporting.trackers.guarded import Guarded
from tests.reporting.trackers.conftest import Noted


def use(tracker: Tracker) -> None:
    tracker.log({"loss": 1.0}, 1, Counted.STEPS)
    tracker.table("some", Table(("a",), [("b",)]))
    tracker.files("run", [])
    tracker.finish({}, 0)


def test_what_a_run_says_reaches_its_tracker() -> None:
    noted, said = Noted(), list[str]()
    use(Guarded("wandb", lambda: noted, said.append))
    assert (noted.calls, said) == (["log", "table", "files", "finish"], [])


@pytest.mark.parametrize("method", ["log", "table", "files", "finish"])
def test_after_its_first_failure_a_tracker_is_left_alone(method: str) -> None:
    noted, said = Noted(fails_in=method), list[str]()
    use(Guarded("wandb", lambda: noted, said.append))
    assert noted.calls[-1] == method
    (line,) = said
    assert line.startswith("warning: tracker=wandb failed") and "ConnectionError: no route with the key …" in line


def test_a_tracker_that_cannot_start_is_one_line_too() -> None:
    def start() -> Tracker:
        raise TimeoutError("nobody answers")

    said = list[str]()
    use(Guarded("wandb", start, said.append))
    (line,) = said
    assert "nobody answers" in line
