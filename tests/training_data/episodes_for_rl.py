"""Episodes with tokens that were made up by hand, for tests of reinforcement learning."""

from __future__ import annotations

from collections.abc import Sequence

from agentbench.types import (
    Actor,
    Answer,
    AnswerType,
    Branch,
    CallTools,
    Decision,
    EndReason,
    Final,
    Generation,
    Gold,
    History,
    Observation,
    Score,
    Step,
    StepCategory,
    Task,
    ToolCall,
    Trajectory,
    Turn,
)

CALL = CallTools((ToolCall("look_up", {}),))
Ids = tuple[int, ...]


def task(name: str = "t1") -> Task:
    return Task(name, "m3", "films", (Turn("Who?", Gold(Answer(AnswerType.TEXT, "Jack"))),))


def sampled(
    prompt: Ids, said: Ids, category: StepCategory = StepCategory.GOLD_CALL, branches: tuple[Branch, ...] = ()
) -> Step:
    """A step of the agent's; each of its tokens was drawn with the log-probability −0.1 × its id."""
    logprobs = tuple(-0.1 * token for token in said)
    generation = Generation("agent", "said", prompt, said, logprobs)
    final = category in (StepCategory.CORRECT_FINAL, StepCategory.WRONG_FINAL)
    action = Final("Jack") if final else CALL
    return Step(Decision(action, generations=(generation,)), Observation("seen"), category, branches=branches)


def by_expert(category: StepCategory = StepCategory.GOLD_CALL) -> Step:
    return Step(Decision(CALL, Actor.EXPERT), Observation("seen"), category)


def verdict(success: bool) -> tuple[Score, ...]:
    return (Score("answer", float(success)),)


def episode(
    steps: Sequence[Step], success: bool = True, *, of: str = "t1", sample: int = 0, end: EndReason = EndReason.FINAL
) -> Trajectory:
    scores = () if end is EndReason.ERROR else verdict(success)
    return Trajectory(task(of), History((), Observation("Who?"), tuple(steps)), end, scores, sample=sample)


def two_steps(success: bool, said: Ids = (5, 6), answer: Ids = (7, 2), of: str = "t1", sample: int = 0) -> Trajectory:
    """Prompt 1 3; a call; 8 9 is seen; an answer."""
    final = StepCategory.CORRECT_FINAL if success else StepCategory.WRONG_FINAL
    steps = [sampled((1, 3), said), sampled((1, 3, *said, 8, 9), answer, final)]
    return episode(steps, success, of=of, sample=sample)
