"""An environment is called fair only where every habit scores what it deserves."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.pool import run_async
from agentbench.episodes.run_episode import EpisodeParts
from agentbench.episodes.run_tasks import PoolSettings
from agentbench.episodes.self_check import PROBES, self_check
from agentbench.policies import Policy
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.types import Answer, AnswerType, StepCategory, Task

SETTINGS = PoolSettings(4, 10, 0, 10.0, 1.0, quiet=True)
GRADE = StepGrader(dict.fromkeys(StepCategory, 0.0))


def unfair(film_tools, folder: Path, *tasks: Task) -> set[str]:
    def make(task: Task, policy: Policy) -> EpisodeParts:
        return EpisodeParts(ToolEnv(film_tools, True), policy, GRADE, (AnswerScorer(),))

    findings = run_async(self_check(tasks, make, SETTINGS, folder))
    assert [finding.probe for finding in findings] == list(PROBES)
    return {finding.probe.name for finding in findings if not finding.fair}


def with_answer(task: Task, answer: str) -> Task:
    gold = dataclasses.replace(task.turns[0].gold, answer=Answer(AnswerType.TEXT, answer))
    return dataclasses.replace(task, turns=(dataclasses.replace(task.turns[0], gold=gold),))


def test_a_fair_world_passes(film_tools, film_task, unanswerable, tmp_path: Path) -> None:
    assert unfair(film_tools, tmp_path, film_task, unanswerable) == set()


@pytest.mark.parametrize(
    ("answer", "finds"),
    [
        ("I don't know", {"idle", "mistaken"}),
        ("I cannot answer this: the tool I would need is not available", {"always_refuse"}),
    ],
)
def test_an_answer_that_a_bad_habit_gives_is_found(
    film_tools, film_task, tmp_path: Path, answer: str, finds: set[str]
) -> None:
    assert unfair(film_tools, tmp_path, with_answer(film_task, answer)) == finds


def test_a_gold_chain_that_cannot_be_played_is_found(film_tools, film_task, call, tmp_path: Path) -> None:
    gold = dataclasses.replace(film_task.turns[0].gold, actions=(call("get_film_director", title="crash"),))
    broken = dataclasses.replace(film_task, turns=(dataclasses.replace(film_task.turns[0], gold=gold),))
    assert unfair(film_tools, tmp_path, broken) == {"oracle"}


def test_where_no_answer_in_words_is_right_agents_that_only_speak_otherwise_are_left_out(
    film_tools, film_task, tmp_path: Path
) -> None:
    gold = dataclasses.replace(film_task.turns[0].gold, answer=Answer(AnswerType.TEXT))
    secret = dataclasses.replace(film_task, turns=(dataclasses.replace(film_task.turns[0], gold=gold),))

    def make(task: Task, policy: Policy) -> EpisodeParts:
        return EpisodeParts(ToolEnv(film_tools, True), policy, GRADE, (AnswerScorer(),))

    findings = run_async(self_check((secret,), make, SETTINGS, tmp_path))
    assert {probe.name for probe in PROBES} - {found.probe.name for found in findings} == {"mention_all", "mistaken"}
    assert {found.answerable.n for found in findings} == {0}  # nobody could score them
