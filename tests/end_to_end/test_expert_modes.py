"""Experts beyond rules and chance, from the command line: a person, an agent that disagrees with itself, a budget."""

from __future__ import annotations

import subprocess
from pathlib import Path

from agentbench.episodes.store import read_trajectories
from agentbench.types import Actor, Final
from tests.end_to_end.conftest import Run, command, environment


def test_a_person_answers_one_task_and_leaves_the_next(world: Path, student: Path, tmp_path: Path) -> None:
    line = command(
        "rollout",
        "expert_mode=human",
        *playing(world, student),
        "tasks.limit=2",
        f"hydra.run.dir={tmp_path / 'run'}",
    )
    said = "t\nfinal Stroud\nI know it.\nq\n"
    done = subprocess.run(
        line, input=said, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 4 and "1 episodes are on disk" in done.stderr and "resume=" in done.stderr
    (played,) = read_trajectories(tmp_path / "run" / "trajectories.jsonl")
    (step,) = played.history.steps
    assert (step.decision.actor, step.decision.action) == (Actor.EXPERT, Final("Stroud", "I know it."))


def test_a_student_that_knows_little_disagrees_with_itself_within_its_budget(
    run: Run, world: Path, student: Path, tmp_path: Path
) -> None:
    mode = ("expert_mode=disagreement", "expert_mode.votes=2", "expert_mode.threshold=1", "expert_mode.budget=1")
    done = run("rollout", *mode, *playing(world, student), "tasks.limit=6", "hydra.run.dir=run")
    assert done.code == 0, done.err
    played = list(read_trajectories(tmp_path / "run" / "trajectories.jsonl"))
    assert [episode.expert_steps for episode in played] == [1] * 6
    assert {step.decision.note for step in played[0].history.steps[1:]} == {"the budget of 1 expert steps is spent"}
    assert "tokens of vote" in done.out


def test_a_judge_without_a_model_and_a_person_elsewhere_are_one_line_each(run: Run) -> None:
    judge = run("rollout", "expert_mode=judge")
    assert (judge.code, "needs overseer=llm" in judge.err, "Traceback" in judge.err) == (2, True, False)
    person = run("rollout", "expert_mode=human", "launcher=ray")
    assert person.code == 2 and "a person answers at this terminal" in person.err


def playing(world: Path, student: Path) -> tuple[str, ...]:
    return (f"env.worlds=['{world}']", f"model.path={student}", "env.horizon=6")
