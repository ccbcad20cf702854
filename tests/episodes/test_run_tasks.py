"""A whole run on a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest

from agentbench.app.lock import locked
from agentbench.episodes.pool import run_async
from agentbench.episodes.run_episode import EpisodeParts
from agentbench.episodes.run_tasks import MakeParts, PoolSettings, episode_seed, run_tasks
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.episodes.summary import SUMMARY, Summary
from agentbench.errors import DataError, PreflightError, RunFailed
from agentbench.types import Task, Trajectory

MakeTask = Callable[..., Task]
SETTINGS = PoolSettings(4, 10, 0, 10.0, 1.0, quiet=True)


def run(tasks: Sequence[Task], make_parts: MakeParts, folder: Path, settings: PoolSettings = SETTINGS) -> Summary:
    return run_async(run_tasks(tasks, make_parts, settings, folder))


def on_disk(folder: Path) -> dict[str, Trajectory]:
    return {trajectory.task.id: trajectory for trajectory in read_trajectories(folder / TRAJECTORIES)}


def lines(folder: Path) -> int:
    return (folder / TRAJECTORIES).read_bytes().count(b"\n")


def test_a_run_leaves_every_episode_and_a_summary(make_task: MakeTask, make_parts: MakeParts, tmp_path: Path) -> None:
    tasks = [make_task(f"t-{number}", goal=number % 4) for number in range(20)]
    summary = run(tasks, make_parts, tmp_path / "new")
    assert (summary.n, summary.success.count) == (20, 20)
    assert summary.total_time_steps == 5 * (1 + 2 + 3 + 4)
    assert set(on_disk(tmp_path / "new")) == {task.id for task in tasks}
    assert orjson.loads((tmp_path / "new" / SUMMARY).read_bytes())["n"] == 20


def test_the_same_seed_gives_the_same_bytes_at_any_concurrency(
    make_task: MakeTask, make_parts: MakeParts, tmp_path: Path
) -> None:
    tasks = [make_task(f"{name}-{number}", number % 5) for name in ("t", "broken") for number in range(40)]
    written: list[list[bytes]] = []
    for concurrency in (1, 64):
        run(tasks, make_parts, tmp_path / str(concurrency), SETTINGS._replace(concurrency=concurrency))
        text = (tmp_path / str(concurrency) / TRAJECTORIES).read_bytes()
        written.append(sorted(re.sub(rb'"seconds":[^,}]+', b"", text).splitlines()))
    assert len(written[0]) == 80 and written[0] == written[1]


def test_another_seed_gives_other_episodes(make_task: MakeTask, make_parts: MakeParts, tmp_path: Path) -> None:
    for seed in (1, 2):
        run([make_task("t")], make_parts, tmp_path / str(seed), SETTINGS._replace(seed=seed))
    first, second = (on_disk(tmp_path / str(seed))["t"] for seed in (1, 2))
    assert first.history.steps[-1].decision != second.history.steps[-1].decision
    assert (first.seed, second.seed) == (episode_seed(1, "t"), episode_seed(2, "t"))


def test_episode_seeds_are_the_same_on_every_machine() -> None:
    assert episode_seed(0, "films-1") == 0x805D96D4  # printf '0:films-1' | b2sum -l 32
    assert len({episode_seed(0, str(number)) for number in range(1000)}) == 1000


def test_every_sample_of_a_task_is_an_episode_with_a_seed_of_its_own(
    make_task: MakeTask, make_parts: MakeParts, tmp_path: Path
) -> None:
    run([make_task("t"), make_task("u")], make_parts, tmp_path, SETTINGS._replace(samples=3))
    played = list(read_trajectories(tmp_path / TRAJECTORIES))
    assert sorted((each.task.id, each.sample) for each in played) == [(id, n) for id in "tu" for n in range(3)]
    assert {each.seed for each in played} == {episode_seed(0, id, n) for id in "tu" for n in range(3)}
    assert len({each.seed for each in played}) == 6
    assert episode_seed(0, "t", 0) == episode_seed(0, "t")


def test_a_resumed_run_plays_the_samples_that_are_missing(
    make_task: MakeTask, make_parts: MakeParts, tmp_path: Path
) -> None:
    run([make_task("t")], make_parts, tmp_path, SETTINGS._replace(samples=2))
    summary = run([make_task("t")], make_parts, tmp_path, SETTINGS._replace(samples=4))
    assert (lines(tmp_path), summary.n) == (4, 4)
    assert [episode["sample"] for episode in summary.episodes] == [0, 1, 2, 3]


def test_one_episodes_failure_leaves_the_others_alone(
    make_task: MakeTask, make_parts: MakeParts, tmp_path: Path
) -> None:
    names = ["broken-1", "t-1", "hanging-1", "dead-1", "t-2", "unmade-1", "t-3"]

    def make(task: Task, seed: int) -> EpisodeParts:
        if task.id.startswith("unmade"):
            raise PreflightError("no world for it")
        return make_parts(task, seed)

    summary = run([make_task(name) for name in names], make, tmp_path, SETTINGS._replace(episode_timeout_s=0.1))
    assert summary.errors == {"RuntimeError": 1, "EpisodeTimeout": 1, "LlmError": 1, "PreflightError": 1}
    assert (summary.n, summary.success.count, summary.success_of_judged.n) == (7, 3, 3)
    assert len(on_disk(tmp_path)["hanging-1"].history.steps) == 2


def test_evidence_that_cannot_be_written_is_that_episodes_failure(
    make_task: MakeTask, make_parts: MakeParts, tmp_path: Path
) -> None:
    def make(task: Task, seed: int) -> EpisodeParts:
        parts = make_parts(task, seed)
        if task.id == "odd":
            parts.env.evidence = lambda: {"things": {1, 2}}
        return parts

    summary = run([make_task("odd"), make_task("even")], make, tmp_path)
    assert summary.success.count == 1
    assert on_disk(tmp_path)["odd"].error.startswith("TypeError: Type is not JSON serializable: set")


def test_resuming_plays_only_what_is_missing(make_task: MakeTask, make_parts: MakeParts, tmp_path: Path) -> None:
    played: list[str] = []

    def make(task: Task, seed: int) -> EpisodeParts:
        played.append(task.id)
        return make_parts(task, seed)

    tasks = [make_task(f"t-{number}") for number in range(6)]
    run(tasks[:4], make, tmp_path)
    summary = run(tasks, make, tmp_path)
    assert played == [task.id for task in tasks]
    assert (summary.n, summary.success.count, lines(tmp_path)) == (6, 6, 6)


def test_resuming_plays_failed_episodes_again_and_counts_them_once(
    make_task: MakeTask, make_parts: MakeParts, tmp_path: Path
) -> None:
    tasks = [make_task("t-1"), make_task("t-2")]
    run(tasks, lambda task, seed: make_parts(make_task("dead") if task.id == "t-2" else task, seed), tmp_path)
    summary = run(tasks, make_parts, tmp_path)
    assert (summary.n, summary.success.count, summary.errors, lines(tmp_path)) == (2, 2, {}, 3)
    assert on_disk(tmp_path)["t-2"].success


def test_a_folder_with_episodes_of_other_tasks_is_refused(
    make_task: MakeTask, make_parts: MakeParts, tmp_path: Path
) -> None:
    run([make_task("t-1")], make_parts, tmp_path)
    with pytest.raises(DataError, match="holds the task 't-1', which is not among this run's"):
        run([make_task("t-2")], make_parts, tmp_path)


def test_a_task_that_asks_something_else_under_its_old_id_is_refused(
    make_task: MakeTask, make_parts: MakeParts, tmp_path: Path
) -> None:
    run([make_task("t-1", goal=1)], make_parts, tmp_path)
    with pytest.raises(DataError, match="'t-1' it holds asks something else"):
        run([make_task("t-1", goal=2)], make_parts, tmp_path)


def test_two_tasks_with_one_id_are_refused(make_task: MakeTask, make_parts: MakeParts, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="several have the id 't-1'"):
        run([make_task("t-1"), make_task("t-1")], make_parts, tmp_path)


def test_a_second_run_on_the_same_folder_is_refused(make_task: MakeTask, make_parts: MakeParts, tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(PreflightError, match=f"in use by process {os.getpid()}"):
        run([make_task("t-1")], make_parts, tmp_path)


@pytest.mark.parametrize(("allowed", "fails"), [(0.0, True), (0.24, True), (0.25, False)])
def test_more_failures_than_allowed_fail_the_run_after_all_is_written(
    allowed: float, fails: bool, make_task: MakeTask, make_parts: MakeParts, tmp_path: Path
) -> None:
    tasks = [make_task(name) for name in ("t-1", "t-2", "t-3", "broken-1")]
    settings = SETTINGS._replace(max_failures=allowed)
    if not fails:
        assert run(tasks, make_parts, tmp_path, settings).n == 4
        return
    with pytest.raises(RunFailed, match=r"1 of 4 episodes ended with an error \(RuntimeError 1\)"):
        run(tasks, make_parts, tmp_path, settings)
    assert (tmp_path / SUMMARY).exists() and lines(tmp_path) == 4


def test_a_dead_server_ends_the_run_after_eight_episodes(
    make_task: MakeTask, make_parts: MakeParts, tmp_path: Path
) -> None:
    tasks = [make_task(f"dead-{number}") for number in range(1000)]
    with pytest.raises(PreflightError, match="the first 8 episodes all failed: LlmError: no answer from http"):
        run(tasks, make_parts, tmp_path)
    assert 8 <= lines(tmp_path) < 8 + SETTINGS.concurrency


def test_progress_and_table_are_printed_unless_the_run_is_quiet(
    make_task: MakeTask, make_parts: MakeParts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run([make_task("t-1")], make_parts, tmp_path / "1", SETTINGS)
    assert capsys.readouterr().out == ""
    run([make_task("t-1")], make_parts, tmp_path / "2", SETTINGS._replace(quiet=False))
    out = capsys.readouterr().out
    assert "1/1 episodes" in out and "100.0 %" in out and "domain numbers" in out
