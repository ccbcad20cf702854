"""The summary file, one episode's metadata, the final table and the progress line."""

from __future__ import annotations

import asyncio
import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from agentbench.config.model import Price
from agentbench.episodes.branch_sums import BranchSums
from agentbench.episodes.progress import REFRESH_S, showing
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.episodes.summary import SUMMARY, ExpertSettings, episode_metadata, read_summary, write_summary
from agentbench.episodes.table import final_table, notes
from agentbench.episodes.tally import Tally
from agentbench.errors import PreflightError
from agentbench.types import Generation, Score, Task, Trajectory, Usage

INFORMED = ExpertSettings("informed", 1, 2, 0.1)


@pytest.fixture
def played(make_task: Callable[..., Task], make_parts: Callable[..., EpisodeParts]) -> tuple[Trajectory, ...]:
    """One solved episode of three steps, one broken after two."""
    tasks = (make_task("a", goal=2, scenario="api"), make_task("broken-b", goal=5, scenario="rag"))
    plays = (run_episode(task, make_parts(task, 0), Limits(10, 10.0), 0) for task in tasks)
    return tuple(asyncio.run(play) for play in plays)


@pytest.fixture
def tally(played: tuple[Trajectory, ...]) -> Tally:
    """Both episodes."""
    tally = Tally(INFORMED)
    for trajectory in played:
        tally.add(trajectory)
    return tally


def test_an_episodes_metadata_has_the_names_users_know(played: tuple[Trajectory, ...]) -> None:
    assert episode_metadata(played[0], INFORMED) == {
        "sample_id": "a",
        "sample": 0,
        "truncated": False,
        "terminated": True,
        "success": True,
        "total_time_steps": 3,
        "expert_assistance": {
            "mode": "informed",
            "init_limit": 1,
            "recent_limit": 2,
            "random_epsilon": 0.1,
            "tracker": {"expert_steps": 0, "agent_steps": 3, "expert_share": 0.0, "interventions": {}},
        },
    }


def test_a_written_summary_reads_back_and_leaves_no_draft(tally: Tally, tmp_path: Path) -> None:
    write_summary(tmp_path, tally.summary())
    assert read_summary(tmp_path) == tally.summary()
    assert [path.name for path in tmp_path.iterdir()] == [SUMMARY]
    assert orjson.loads((tmp_path / SUMMARY).read_bytes())["success"]["rate"] == 0.5


def test_the_summary_holds_an_episode_in_every_line(tally: Tally, tmp_path: Path) -> None:
    write_summary(tmp_path, tally.summary())
    lines = (tmp_path / SUMMARY).read_text().splitlines()
    found = [orjson.loads(line.strip().removesuffix(",")) for line in lines if '"sample_id"' in line]
    assert [one["sample_id"] for one in found] == ["a", "broken-b"]


def test_a_summary_of_nothing_is_read_back_as_well(tmp_path: Path) -> None:
    write_summary(tmp_path, Tally(INFORMED).summary())
    assert read_summary(tmp_path) == Tally(INFORMED).summary()


def test_a_folder_that_is_gone_is_one_clear_line(tally: Tally, tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"summary\.json cannot be written: No such file"):
        write_summary(tmp_path / "gone", tally.summary())


def test_the_final_table_tells_success_expert_and_errors(tally: Tally) -> None:
    out = io.StringIO()
    Console(file=out, width=100).print(final_table(tally.summary()))
    rows = [" ".join(line.replace("│", " ").split()) for line in out.getvalue().splitlines()]
    assert "scenario api 1 1 100.0 % 20.7 – 100.0 %" in rows  # 1 / (1 + 3.8415) = 20.7 %
    assert "scenario rag 1 0 0.0 % 0.0 – 79.3 %" in rows
    assert "all 2 1 50.0 % 9.5 – 90.5 %" in rows
    assert "expert (informed) took 0.0 % of 5 steps; step preferences: 0" in out.getvalue()
    assert "errors: RuntimeError 1" in out.getvalue() and "100.0 % of 1" in out.getvalue()


def judged(trajectory: Trajectory, answer: float, judge: float | None) -> Trajectory:
    opinion = "" if judge is not None else "unscored: HTTP [401]"
    scores = (
        Score("answer", answer),
        Score("judge", judge, opinion, generations=(Generation("judge", "", usage=Usage(500)),)),
    )
    return dataclasses.replace(trajectory, scores=scores)


@pytest.fixture
def judged_tally(played: tuple[Trajectory, ...]) -> Tally:
    """Rules and judge agree once, once not, and one opinion is missing."""
    tally = Tally(INFORMED, {"judge": Price(prompt=10.0), "expert": Price(prompt=1.0)})
    for answer, judge in ((1.0, 1.0), (0.0, 1.0), (0.0, None)):
        tally.add(judged(played[0], answer, judge))
    return tally


def test_the_final_table_tells_scores_agreement_and_cost(judged_tally: Tally) -> None:
    out = io.StringIO()
    Console(file=out, width=200).print(final_table(judged_tally.summary()))
    assert "score judge: mean 100.0 % of 2, 1 unscored (HTTP [401])" in out.getvalue()
    # 1 of 2; p_c = 1/2 · 2/2 + 1/2 · 0/2 = 1/2 = p_o, so kappa is 0
    assert "rules and judge agree on 1 of 2: 50.0 % (9.5 – 90.5 %), kappa 0.00; solved by the rules alone 0, by" in (
        out.getvalue()
    )
    assert "cost: $0.0150 (judge $0.0150, expert $0.0000)" in out.getvalue()  # 3 · 500 · 10 / 10⁶


def test_a_summary_with_a_judge_reads_back(judged_tally: Tally, tmp_path: Path) -> None:
    write_summary(tmp_path, judged_tally.summary())
    assert read_summary(tmp_path) == judged_tally.summary()


def shown(tally: Tally, terminal: bool, seconds: float) -> io.StringIO:
    out = io.StringIO()

    async def show() -> None:
        async with showing(tally, 10, Console(file=out, force_terminal=terminal, width=150)):
            await asyncio.sleep(seconds)

    asyncio.run(show())
    return out


def test_a_terminal_is_redrawn_while_the_run_goes_on(tally: Tally) -> None:
    assert shown(tally, True, REFRESH_S * 1.2).getvalue().count("2/10 episodes") > shown(
        tally, True, 0.01
    ).getvalue().count("2/10 episodes")


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_ends_with_a_line_that_has_the_numbers(terminal: bool, tally: Tally) -> None:
    out = shown(tally, terminal, 0.01)
    assert "2/10 episodes, 0.0/s, success 50.0 %, expert 0.0 % of steps, errors 1" in out.getvalue()


def test_branches_have_a_line_of_their_own_in_the_table(tally: Tally) -> None:
    assert "branches: " not in notes(tally.summary())
    sums = BranchSums(trees=2, branches=5, solved=3, errors=1, duplicates=4, tokens=Usage(1200, 34))
    assert sums.leaves == 7
    told = "branches: 5 (3 solved, 1 with errors) in 2 trees of 7 leaves; dropped as the same: 4; "
    line = told + "tokens of the agent in branches: 1,200 in prompts, 34 in completions"
    assert line in notes(dataclasses.replace(tally.summary(), branching=sums)).splitlines()
