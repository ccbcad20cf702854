"""The file of trajectories: appended, read, repaired."""

from __future__ import annotations

import dataclasses
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentbench.episodes.store import TRAJECTORIES, TrajectoryWriter, finished_ids, read_trajectories, repair
from agentbench.errors import DataError, PreflightError
from agentbench.types import Decision, EndReason, Final, History, Observation, Step, StepCategory, Task, Trajectory

Make = Callable[..., Trajectory]


@pytest.fixture
def make(make_task: Callable[..., Task]) -> Make:
    """`make(id, error="")`: a finished or failed trajectory."""

    def trajectory(task_id: str, error: str = "") -> Trajectory:
        end = EndReason.ERROR if error else EndReason.FINAL
        return Trajectory(make_task(task_id), History((), Observation("go")), end, error=error)

    return trajectory


@pytest.fixture
def path(tmp_path: Path, make: Make) -> Path:
    """A file with the episodes a, b (failed), c."""
    write(tmp_path, make("a"), make("b", "OSError: gone"), make("c"))
    return tmp_path / TRAJECTORIES


def write(folder: Path, *trajectories: Trajectory) -> None:
    with TrajectoryWriter(folder) as writer:
        for trajectory in trajectories:
            writer.append(trajectory)


def ids(path: Path) -> list[str]:
    return [trajectory.task.id for trajectory in read_trajectories(path)]


def test_what_was_appended_is_read_in_order(path: Path, make: Make) -> None:
    assert list(read_trajectories(path)) == [make("a"), make("b", "OSError: gone"), make("c")]


def test_a_second_writer_goes_on_at_the_end(path: Path, make: Make) -> None:
    write(path.parent, make("d"))
    assert ids(path) == ["a", "b", "c", "d"]


def test_an_episode_is_on_disk_before_the_writer_is_closed(tmp_path: Path, make: Make) -> None:
    with TrajectoryWriter(tmp_path) as writer:
        writer.append(make("a"))
        assert ids(tmp_path / TRAJECTORIES) == ["a"]


def test_the_last_line_of_an_id_counts(path: Path, make: Make) -> None:
    write(path.parent, make("b"))
    assert [(each.task.id, each.end) for each in read_trajectories(path)] == [
        ("a", EndReason.FINAL),
        ("c", EndReason.FINAL),
        ("b", EndReason.FINAL),
    ]


def test_finished_are_those_whose_last_line_is_no_error(path: Path, make: Make) -> None:
    assert finished_ids(path) == {("a", 0), ("c", 0)}
    write(path.parent, make("b"), make("c", "OSError: gone"))
    assert finished_ids(path) == {("a", 0), ("b", 0)}


def test_samples_of_one_task_are_episodes_of_their_own(path: Path, make: Make) -> None:
    second = dataclasses.replace(make("a"), sample=1)
    write(path.parent, second, dataclasses.replace(second, seconds=2.0))
    kept = [(each.task.id, each.sample, each.seconds) for each in read_trajectories(path)]
    assert kept == [("a", 0, 0.0), ("b", 0, 0.0), ("c", 0, 0.0), ("a", 1, 2.0)]


def test_a_file_from_before_there_were_samples_holds_the_first_ones(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b',"sample":0', b""))
    assert b"sample" not in path.read_bytes() and finished_ids(path) == {("a", 0), ("c", 0)}
    assert [each.sample for each in read_trajectories(path)] == [0, 0, 0]


@pytest.mark.parametrize("torn", [b'{"task":{"id":"d"', b"\0\0\0\0", b'{"task"\n', b"{}"])
def test_a_torn_last_line_is_cut_off_and_counted(torn: bytes, path: Path) -> None:
    before = path.read_bytes()
    path.write_bytes(before + torn)
    assert repair(path) == len(torn)
    assert path.read_bytes() == before and repair(path) == 0


def test_a_broken_line_in_the_middle_is_named_and_left_alone(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"oops\n", lines[2]]))
    for read in (repair, finished_ids, ids):
        with pytest.raises(DataError, match=r"trajectories\.jsonl, line 2: not"):
            read(path)
    assert path.read_bytes().count(b"\n") == 3


def test_an_unknown_key_is_named_with_its_line(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"opening":{', b'"opening":{"colour":"red",')
    path.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match=r"line 3: unknown key 'history\.opening\.colour'"):
        ids(path)


def test_an_unknown_key_of_an_action_is_named_among_all_that_actions_could_be(tmp_path: Path, make: Make) -> None:
    step = Step(Decision(Final("x")), Observation(""), StepCategory.WRONG_FINAL)
    write(tmp_path, dataclasses.replace(make("a"), history=History((), Observation("go"), (step,))))
    path = tmp_path / TRAJECTORIES
    path.write_bytes(path.read_bytes().replace(b'"answer":"x"', b'"answer":"x","colour":"red"'))
    with pytest.raises(DataError, match=r"line 1: unknown key 'history\.steps\.0\.decision\.action\.Final\.colour'"):
        ids(path)


def test_a_value_of_the_wrong_type_is_named_with_its_line(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"seconds":0.0', b'"seconds":"soon"', 1))
    with pytest.raises(DataError, match="line 1: seconds: Input should be a valid number"):
        ids(path)


@pytest.mark.parametrize("read", [ids, finished_ids, repair])
def test_a_missing_file_is_one_clear_line(read: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"trajectories\.jsonl cannot be read: No such file"):
        read(tmp_path / TRAJECTORIES)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A file cannot grow beyond `size` bytes: what a full disk looks like, partial write included."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_loses_nothing_that_was_written(path: Path, make: Make) -> None:
    before = path.read_bytes()
    with TrajectoryWriter(path.parent) as writer:
        with largest_file(len(before) + 100), pytest.raises(PreflightError, match="cannot be written: File too large"):
            writer.append(dataclasses.replace(make("d"), evidence={"long": "x" * 1000}))
        assert path.read_bytes() == before
        writer.append(make("e"))
    assert ids(path) == ["a", "b", "c", "e"]
