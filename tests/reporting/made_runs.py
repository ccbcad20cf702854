"""Run folders as `eval` leaves them, written by hand: which task was solved is said, not played."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from agentbench.app.record import RunRecord
from agentbench.config.entry import EvalConfig
from agentbench.episodes.store import TrajectoryWriter
from agentbench.reporting.run_folder import Run, read_run
from agentbench.types import (
    Actor,
    Alternative,
    Answer,
    AnswerType,
    CallTools,
    Decision,
    EndReason,
    Final,
    Generation,
    Gold,
    History,
    Observation,
    Outcome,
    Score,
    Step,
    StepCategory,
    Task,
    ToolCall,
    Trajectory,
    Turn,
    Usage,
)

CONFIG: dict[str, Any] = {
    **{part: {} for part in ("tasks", "rewards")},
    **{part: {"kind": kind} for part, kind in (("model", "tiny"), ("template", "tiny"), ("agent", "chat"))},
    **{part: {"kind": kind} for part, kind in (("env", "m3"), ("retriever", "bm25"), ("expert_mode", "none"))},
    "cache_dir": "outputs/cache",
}


def task(name: str, **data: Any) -> Task:
    return Task(name, "m3", "films", (Turn(f"Who made {name}?", Gold(Answer(AnswerType.TEXT, "Ada"))),), data=data)


def episode(
    asked: Task, solved: bool, *, sample: int = 0, call: str = "look_up", judge: float | None = None
) -> Trajectory:
    """One call, then an answer; two generations with 100 and 110 prompt tokens, and 10 completion tokens each."""
    said = [Generation("agent", "…", usage=Usage(tokens, 10), seconds=0.5) for tokens in (100, 110)]
    seen, last = Observation("found"), Observation("")
    look = Decision(CallTools((ToolCall(call, {}),)), generations=(said[0],))
    answer = Decision(Final("Ada" if solved else "Bob"), generations=(said[1],))
    ended = StepCategory.CORRECT_FINAL if solved else StepCategory.WRONG_FINAL
    steps = (Step(look, seen, StepCategory.GOLD_CALL), Step(answer, last, ended))
    scores = (Score("answer", float(solved)), *(() if judge is None else (Score("judge", judge),)))
    history = History((), Observation(asked.turns[0].query), steps)
    return Trajectory(asked, history, EndReason.FINAL, scores, sample=sample, seconds=2.0)


def helped(asked: Task, *, agrees: bool) -> Trajectory:
    """A step of the agent's own, good where it `agrees`, then the expert's answer; the agent says it too, or not."""
    call = CallTools((ToolCall("look_up", {}),))
    look = Step(Decision(call), Observation("?"), StepCategory.GOLD_CALL if agrees else StepCategory.BAD_CALL)
    other = Alternative(Actor.AGENT, Final("Ada" if agrees else "Bob"))
    answer = Decision(Final("Ada"), Actor.EXPERT, (other,), reason="too early")
    steps = (look, Step(answer, Observation(""), StepCategory.CORRECT_FINAL))
    return Trajectory(asked, History((), Observation("?"), steps), EndReason.FINAL, (Score("answer", 1.0),))


def failed(asked: Task, error: str) -> Trajectory:
    return Trajectory(asked, History((), Observation("")), EndReason.ERROR, error=error)


def forbidden(asked: Task) -> Trajectory:
    """Breaks a rule, calls wrongly, and refuses a question that has an answer."""
    calls = [
        Step(Decision(CallTools((ToolCall("look_up", {}),))), Observation("no", outcome), category)
        for outcome, category in (
            (Outcome.RULE_BROKEN, StepCategory.RULE_BROKEN),
            (Outcome.BAD_ARGUMENTS, StepCategory.BAD_CALL),
        )
    ]
    refusal = Step(Decision(Final("I cannot answer this.")), Observation(""), StepCategory.WRONG_REFUSAL)
    history = History((), Observation("?"), (*calls, refusal))
    return Trajectory(asked, history, EndReason.FINAL, (Score("answer", 0.0),))


def write_run(
    folder: Path, trajectories: Iterable[Trajectory], config: Mapping[str, Any] | None = None, entry: str = "eval"
) -> Run:
    """The run in a folder, as reports read it."""
    write_folder(folder, trajectories, config, entry)
    return read_run(folder)


def write_folder(
    folder: Path, trajectories: Iterable[Trajectory], config: Mapping[str, Any] | None = None, entry: str = "eval"
) -> None:
    """A run's folder, of any entry point."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump({**CONFIG, **(config or {})}))
    record = RunRecord(folder, entry, f"python -m agentbench.{entry}", 0)
    record.start()
    with TrajectoryWriter(folder) as writer:
        for trajectory in trajectories:
            writer.append(trajectory)
    record.end(0)


def with_config(run: Run, **changes: Any) -> Run:
    assert isinstance(run.config, EvalConfig)
    return run._replace(config=dataclasses.replace(run.config, **changes))
