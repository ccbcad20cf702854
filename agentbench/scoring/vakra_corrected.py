"""VAKRA's waterfall without its faults: what can be computed is computed, and what cannot be judged has no score.

Policy kept, over the whole episode? Answered? Are the gold responses among all that was found? Is the answer right:
the same rows as gold, a refusal where gold has no answer, else in a judge's opinion? Does it rest on what was found:
certainly where it is the gold answer and all gold responses were found, else in a judge's opinion?

Responses decide nothing by themselves: a right answer found another way is right, and a wrong answer beside the right
calls is wrong.
"""

from __future__ import annotations

from agentbench.scoring.adherence import adherence
from agentbench.scoring.answers import is_refusal
from agentbench.scoring.judge import UNANSWERABLE, Judge, Judged
from agentbench.scoring.vakra_case import NO_JUDGE, Case, Parts
from agentbench.scoring.vakra_responses import missing_values
from agentbench.scoring.vakra_rows import mentions, rows_of, rows_text, same_rows
from agentbench.types import Outcome, Score

_CERTAIN = Score("groundedness", 1.0, "it claims nothing but what the gold responses say, or nothing at all")


async def corrected(case: Case, judge: Judge | None) -> tuple[Score, ...]:
    """The verdict and its parts; `None` with the cause where a judge would be needed and there is no opinion."""
    parts = Parts(adherence(case.trajectory))
    if parts.policy.value == 0.0:
        return parts.verdict(0.0, "policy broken")
    if case.answer is None:
        return parts.verdict(0.0, "the last turn was not answered")
    parts = parts._replace(exact=_exact(case))
    computed = _computed(case, case.answer)
    parts = parts._replace(correctness=computed or await _judged_correctness(case, case.answer, judge))
    if parts.correctness.value != 1.0:
        why = "wrong answer" if parts.correctness.value == 0.0 else parts.correctness.explanation
        return parts.verdict(parts.correctness.value, why)
    certain = computed is not None and (parts.exact.value == 1.0 or _has_no_answer(case))
    parts = parts._replace(groundedness=_CERTAIN if certain else await _groundedness(case, case.answer, judge))
    value = parts.groundedness.value
    why = {1.0: "right and grounded", 0.0: "right but not grounded"}
    return parts.verdict(value, parts.groundedness.explanation if value is None else why[value])


def _exact(case: Case) -> Score:
    count = len(case.gold_responses)
    if not count:
        return Score("exact", None, "the task gives no gold responses")
    missing = missing_values(case.gold_responses, case.made)
    text = f"missing of {count} gold responses: {', '.join(map(str, missing))}" if missing else f"all {count} found"
    return Score("exact", 0.0 if missing else 1.0, text)


def _has_no_answer(case: Case) -> bool:
    cells = [cell for row in rows_of(case.gold) for cell in row]
    return case.unanswerable or (len(cells) == 1 and isinstance(cells[0], str) and is_refusal(cells[0]))


def _computed(case: Case, answer: str) -> Score | None:
    """The correctness that needs no judge; `None` where words alone do not settle it."""
    if _has_no_answer(case):
        return Score("correctness", 1.0, "a refusal, as it should be") if is_refusal(answer) else None
    rows = rows_of(case.gold)
    if same_rows(answer, rows):
        return Score("correctness", 1.0, "the same rows as the gold answer")
    if rows and not answer.strip():
        return Score("correctness", 0.0, "an empty answer")
    if rows and is_refusal(answer) and not mentions(answer, rows):
        return Score("correctness", 0.0, "a refusal where there is an answer")
    return None


async def _judged_correctness(case: Case, answer: str, judge: Judge | None) -> Score:
    if judge is None:
        return Score("correctness", None, NO_JUDGE)
    gold = UNANSWERABLE if _has_no_answer(case) else rows_text(rows_of(case.gold))
    return _score("correctness", await judge.correct(case.query, answer, gold))


async def _groundedness(case: Case, answer: str, judge: Judge | None) -> Score:
    if judge is None:
        return Score("groundedness", None, NO_JUDGE)
    earlier = [f"{exchange.query}\n{exchange.answer}" for exchange in case.trajectory.history.earlier]
    found = [call.observation.text for call in case.made if call.observation.outcome is Outcome.OK]
    return _score("groundedness", await judge.grounded(case.query, answer, [*earlier, *found]))


def _score(name: str, judged: Judged) -> Score:
    value = None if judged.verdict is None else float(judged.verdict)
    return Score(name, value, judged.reason, judged.generations)
