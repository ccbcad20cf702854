"""Is the first action the right one? For data sets whose gold is what is to be called, and nothing is run.

What counts as the same call stands in `call_pairs`, what can be wrong with an action in `call_faults`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentbench.scoring.call_faults import faults, gold_calls
from agentbench.scoring.call_pairs import Pairing, Specs, compared, paired
from agentbench.types import CallTools, Malformed, Score, ToolCall, Trajectory


class CallsScorer:
    """The score `answer`, 1.0 where the first action is the gold one, and the parts it can be told apart by.

    `format`: an action could be read. `function`: the functions of the gold calls, each as often as there, and no
    other. `arguments`: share of the arguments that agree, over calls of the right function; unscored where there is
    none. `parallel`, of tasks with several gold calls alone: share of the calls that agree, of those made or wanted,
    whichever are more. The explanation of `answer` names every fault, its kind first.
    """

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        """Unscored where the episode has no step."""
        if not trajectory.history.steps:
            return (Score("answer", None, "there is no first action"),)
        return tuple(_scores(trajectory))


def _scores(trajectory: Trajectory) -> Iterator[Score]:
    tools, action = trajectory.history.tools, trajectory.history.steps[0].decision.action
    found = faults(trajectory.task, action, tools)
    yield Score("answer", float(not found), "; ".join(map(str, found)))
    yield Score("format", float(not isinstance(action, Malformed)))
    wanted, made = gold_calls(trajectory.task), action.calls if isinstance(action, CallTools) else ()
    yield Score("function", float(_names(wanted) == _names(made) and not isinstance(action, Malformed)))
    specs = {spec.name: spec for spec in tools}
    pairing = paired(wanted, made, specs)
    yield _arguments(pairing, specs)
    if len(wanted) > 1:
        right = sum(not compared(match, specs).differences for match in pairing.matches)
        yield Score("parallel", right / max(len(wanted), len(made)), f"{right} of {len(wanted)} calls")


def _names(calls: Sequence[ToolCall]) -> list[str]:
    return sorted(call.name for call in calls)


def _arguments(pairing: Pairing, specs: Specs) -> Score:
    if not pairing.matches:
        return Score("arguments", None, "no call of a right function")
    found = [compared(match, specs) for match in pairing.matches]
    agreed, all_of_them = sum(each.agreed for each in found), sum(each.compared for each in found)
    return Score("arguments", agreed / all_of_them if all_of_them else 1.0, f"{agreed} of {all_of_them} arguments")
