"""VAKRA's waterfall as published, faults included, for numbers that can be laid beside the leaderboard's.

Last turn only. No prediction: 0. Capability 4: a broken policy among the last calls: 0. Then every gold response has
to occur as a string among the last responses; where one does not, a judge of correctness decides between 0 and going
on. A judge of groundedness has the last word in either case. Both get lower-case text with single spaces.

Kept on purpose: correctness is not asked where the responses match; a task without gold responses matches always;
gold answers are cut down to their first column; a judge that fails, or whose correctness reply stands in a code
fence, gives 0; where gold says "I can not answer", an agent that made no call is right whatever it said.

Not the same: the judge's prompt and model, which are ours and the user's; responses are those of the episode, where
the published evaluator makes predicted and gold calls again and compares what its own servers say.
"""

from __future__ import annotations

from typing import Any

from agentbench.scoring.adherence import forbidden_kinds
from agentbench.scoring.judge import Judge, Judged
from agentbench.scoring.vakra_case import NO_JUDGE, Case, Parts
from agentbench.scoring.vakra_responses import missing_strings, response_strings
from agentbench.types import Score, Task, ToolKind

MULTI_TURN = 4
"""The capability with policies and with questions that have no answer."""


async def published(case: Case, judge: Judge | None, responses: int) -> tuple[Score, ...]:
    """The verdict and its parts; only the latest `responses` calls are looked at."""
    if case.answer is None:
        return Parts().verdict(0.0, "no prediction: the last turn was not answered")
    made = case.last_made[-responses:]
    policy = _policy(case, made)
    if policy.value == 0.0:
        return Parts(policy).verdict(0.0, "policy broken")
    missing = missing_strings(case.gold_responses, made)
    exact = Score("exact", 0.0 if missing else 1.0, _missing_text(missing, len(case.gold_responses)))
    parts = Parts(policy, exact)
    if missing:
        parts = parts._replace(correctness=await _correctness(case, case.answer, judge))
        if parts.correctness.value is None:
            return parts.verdict(None, "responses missing, and no judge for the answer's correctness")
        if parts.correctness.value == 0.0:
            return parts.verdict(0.0, "responses missing, and the answer is wrong")
    parts = parts._replace(groundedness=await _groundedness(case, case.answer, judge, responses))
    value = parts.groundedness.value
    return parts.verdict(value, NO_JUDGE if value is None else "decided by groundedness")


def gold_string(gold: Any) -> str:
    """A gold answer as the published evaluator writes it: the first cell of each row, joined by commas."""
    if not isinstance(gold, list):
        return "" if gold is None else str(gold)
    cells = [item[0] if isinstance(item, list) else item for item in gold if item != []]
    return ", ".join(str(cell) for cell in cells)


def _policy(case: Case, made: tuple[Any, ...]) -> Score:
    if not _is_multi_turn(case.trajectory.task):
        return Score("policy", 1.0, "policies are checked for capability 4 only")
    forbidden = forbidden_kinds(case.trajectory.task)
    broken = [call.name for call in made if _is_forbidden(call.kind, forbidden)]
    return Score("policy", 0.0 if broken else 1.0, f"called {', '.join(broken)}" if broken else "no rule was broken")


def _is_forbidden(kind: ToolKind, forbidden: frozenset[ToolKind]) -> bool:
    """The published check knows retrievers and everything else."""
    return ToolKind.RETRIEVER in forbidden if kind is ToolKind.RETRIEVER else bool(forbidden - {ToolKind.RETRIEVER})


def _is_multi_turn(task: Task) -> bool:
    return task.data.get("capability", MULTI_TURN) == MULTI_TURN


def _missing_text(missing: list[int], count: int) -> str:
    if not missing:
        return f"all {count} gold responses occur" if count else "there are no gold responses"
    return f"missing of {count} gold responses: {', '.join(map(str, missing))}"


async def _correctness(case: Case, answer: str, judge: Judge | None) -> Score:
    given, gold = _normal(answer), _normal(gold_string(case.gold))
    if not given and not gold:
        return Score("correctness", 1.0, "both are empty")
    if judge is None:
        return Score("correctness", None, NO_JUDGE)
    judged = await judge.correct(_normal(case.query), given, gold)
    if judged.generations and judged.generations[-1].completion.lstrip().startswith("```"):
        return Score("correctness", 0.0, "the judge's reply stands in a code fence", judged.generations)
    return _score("correctness", judged)


async def _groundedness(case: Case, answer: str, judge: Judge | None, responses: int) -> Score:
    refused = "i can not answer" in gold_string(case.gold).lower() and _is_multi_turn(case.trajectory.task)
    if refused and (not case.last_made or answer in ("", " ")):
        return Score("groundedness", 1.0, "no answer can be given, and no call was made or nothing was said")
    if judge is None:
        return Score("groundedness", None, NO_JUDGE)
    evidence = [_normal(text) for text in response_strings(case.last_made[-responses:])]
    return _score("groundedness", await judge.grounded(case.query, _normal(answer), evidence))


def _score(name: str, judged: Judged) -> Score:
    return Score(name, 1.0 if judged.verdict else 0.0, judged.reason, judged.generations)


def _normal(text: str) -> str:
    return " ".join(text.lower().split())
