"""Fields of questions: which are asked, and which student they mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentbench.build.fields.function_call import function_call_field
from agentbench.build.students import student_folder
from agentbench.config.env_function_call import CallFormat, FunctionCallEnv
from agentbench.config.model import TinyModel
from agentbench.config.retriever import Bm25Retriever
from agentbench.config.tasks import Split, TasksConfig
from agentbench.errors import PreflightError
from agentbench.types import Task
from tests.tasks.call_rows import row, write


@pytest.fixture
def mine(tmp_path: Path) -> FunctionCallEnv:
    """100 questions."""
    return FunctionCallEnv(file=write(tmp_path / "mine.json", *map(row, range(100))))


def asked(env: FunctionCallEnv, split: Split, limit: int | None = None, seed: int = 0) -> tuple[Task, ...]:
    tasks = TasksConfig(split=split, limit=limit)
    return function_call_field(env, tasks, cache_dir=Path(), seed=seed, report=lambda line: None).tasks


def test_a_smaller_share_of_the_training_questions_is_part_of_a_larger(mine: FunctionCallEnv) -> None:
    shares = [FunctionCallEnv(file=mine.file, train_share=share) for share in (0.1, 0.5, 1.0)]
    ids = [{task.id for task in asked(env, Split.TRAIN)} for env in shares]
    assert [len(each) for each in ids] == [8, 40, 80]
    assert ids[0] < ids[1] < ids[2]


def test_the_share_leaves_tests_as_they_are(mine: FunctionCallEnv) -> None:
    few = FunctionCallEnv(file=mine.file, train_share=0.1)
    assert asked(few, Split.TEST) == asked(mine, Split.TEST)


def test_the_runs_seed_draws_which_tests_are_played_and_not_which_there_are(mine: FunctionCallEnv) -> None:
    assert asked(mine, Split.TEST, seed=1) == asked(mine, Split.TEST, seed=2)
    some = {task.id for seed in range(5) for task in asked(mine, Split.TEST, limit=3, seed=seed)}
    assert some <= {task.id for task in asked(mine, Split.TEST)} and len(some) > 3


def folder_of(env: FunctionCallEnv) -> Path:
    return student_folder(TinyModel(), env, Bm25Retriever(), cache_dir=Path("cache"), found=())


def test_a_student_is_that_of_its_questions(mine: FunctionCallEnv, tmp_path: Path) -> None:
    copied = FunctionCallEnv(file=write(tmp_path / "copied.json", *map(row, range(100))))
    other = FunctionCallEnv(file=write(tmp_path / "other.json", *map(row, range(99))))
    assert folder_of(mine) == folder_of(copied)
    assert len({folder_of(mine), folder_of(other), folder_of(FunctionCallEnv(file=mine.file, train_share=0.5))}) == 3


def test_no_student_is_made_of_a_public_test(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="public test"):
        folder_of(FunctionCallEnv(format=CallFormat.NESTFUL, file=tmp_path))
