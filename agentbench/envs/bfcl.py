"""BFCL's questions, judged by its own checkers as soon as an episode is over.

Single turn: the first action ends the episode and nothing is executed (`SingleCall`). Dialogues: calls are executed by
the official simulated APIs, several in a step if the agent likes, and an answer in words ends the user's turn.

What differs from the official runner in dialogues: a call of a function that is not offered is refused instead of tried
(the executor runs `eval()`), text that is no action is complained about instead of ending the turn, and a turn left
unfinished by the step limit counts as failed. Results are written for the official program so that it sees the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from agentbench.config.suggest import did_you_mean
from agentbench.envs import EnvStep, Restoring
from agentbench.envs.single_call import SingleCall
from agentbench.errors import ToolServerError
from agentbench.tasks.bfcl.process import Official
from agentbench.tasks.bfcl.questions import Question
from agentbench.tasks.bfcl.results import RESULT, calls_text, spoken
from agentbench.types import (
    Action,
    CallTools,
    Final,
    Malformed,
    Observation,
    Outcome,
    Task,
    ToolCall,
    ToolSpec,
    Verdict,
)

STEPS_PER_TURN = 20
"""Most steps with calls in one turn, as in the official runner; one more, and the episode is truncated."""
_FAILED = "Error during execution:"
_ERROR = '{"error":'
"""Beginnings of what the official executor and its APIs say of calls that failed."""


class BfclQuestion:
    """One question, one action."""

    restoring = Restoring.REPLAY

    def __init__(self, question: Question, official: Official) -> None:
        """`official` may be shared: checking one action leaves nothing behind."""
        self._question = question
        self._official = official
        self._inner = SingleCall()
        self._evidence: dict[str, Any] = {}

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The question's own; known after `reset`."""
        return self._inner.tools

    async def reset(self, task: Task) -> Observation:
        """The question."""
        return await self._inner.reset(task)

    async def step(self, action: Action) -> EnvStep:
        """Ends the episode, with the official verdict in its evidence.

        Raises:
            ToolServerError: the official checker failed.
        """
        answer = await self._inner.step(action)
        calls = [_official(call, self._question) for call in action.calls] if isinstance(action, CallTools) else []
        result = calls_text(calls) if calls else spoken(action)
        self._evidence = {"verdict": await self._verdict(calls), RESULT: result}
        return answer

    async def fork(self) -> BfclQuestion:
        """Not offered.

        Raises:
            NotImplementedError: always; an episode of one step is played again.
        """
        raise NotImplementedError("an episode of one step is played again")

    def evidence(self) -> dict[str, Any]:
        """The verdict, and the line of the official result file."""
        return self._evidence

    async def close(self) -> None:
        """The checkers belong to the run."""

    async def _verdict(self, calls: Sequence[ToolCall]) -> dict[str, Any]:
        question = self._question
        if question.ground_truth is None:
            wanted = "irrelevance" not in question.category
            said = "a call" if calls else "no call"
            return _data(Verdict(bool(calls) is wanted, f"{said}, {'a' if wanted else 'no'} call is right"))
        told = await _ask(
            self._official,
            "calls",
            category=question.category,
            entry=question.entry,
            ground_truth=question.ground_truth,
            calls=calls,
        )
        return _data(Verdict(told["valid"], "" if told["valid"] else f"{told['error']}: {told['said']}"))


class BfclDialogue:
    """Several turns of a user, over APIs that keep state."""

    restoring = Restoring.REPLAY

    def __init__(self, question: Question, official: Official) -> None:
        """`official` is the episode's own: its process holds the state of the APIs, and is ended with it."""
        self._question = question
        self._official = official
        self._queries: list[str] = []
        self._turns: list[list[Sequence[ToolCall]]] = [[]]
        self._said: list[list[str]] = [[]]
        self._offered = {tool.name for tool in question.tools}
        self._verdict = Verdict(False, "the dialogue was not brought to its end")

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """What is offered from the beginning; a later turn may bring more, in its words."""
        return self._question.tools

    async def reset(self, task: Task) -> Observation:
        """The user's first turn."""
        self._queries = [turn.query for turn in task.turns]
        self._offer(0)
        return Observation(self._queries.pop(0))

    async def step(self, action: Action) -> EnvStep:
        """Executes calls, or goes on to the user's next turn.

        Raises:
            ToolServerError: the official code failed.
        """
        self._said[-1].append(spoken(action))
        match action:
            case Malformed(reason=reason):
                return self._going_on(Observation(_error(reason), Outcome.MALFORMED))
            case Final():
                return await self._next_turn()
            case CallTools(calls=calls):
                return await self._called(calls)

    async def fork(self) -> BfclDialogue:
        """Not offered.

        Raises:
            NotImplementedError: always; the state of the APIs is in another process.
        """
        raise NotImplementedError("the state of the APIs is in another process")

    def evidence(self) -> dict[str, Any]:
        """The verdict, and the line of the official result file: the turns that were finished."""
        return {"verdict": _data(self._verdict), RESULT: self._said[:-1]}

    async def close(self) -> None:
        """Ends the process with the APIs."""
        await self._official.close()

    def _offer(self, turn: int) -> None:
        self._offered |= {tool.name for tool in self._question.later.get(turn, ())}

    def _going_on(self, observation: Observation) -> EnvStep:
        return EnvStep(observation, truncated=len(self._said[-1]) > STEPS_PER_TURN)

    async def _next_turn(self) -> EnvStep:
        self._turns.append([])
        self._said.append([])
        if self._queries:
            self._offer(len(self._turns) - 1)
            return EnvStep(Observation(self._queries.pop(0)))
        told = await _ask(
            self._official,
            "turns",
            entry=self._question.entry,
            ground_truth=self._question.ground_truth,
            turns=self._turns[:-1],
        )
        self._verdict = Verdict(told["valid"], "" if told["valid"] else f"{told['error']}: {told['said']}")
        return EnvStep(Observation(""), terminated=True)

    async def _called(self, calls: Sequence[ToolCall]) -> EnvStep:
        problems = [self._problem(call) for call in calls]
        made = [_official(call, self._question) for call, problem in zip(calls, problems, strict=True) if not problem]
        try:
            results = await self._official.ask("execute", entry=self._question.entry, calls=made) if made else []
        except TimeoutError:
            self._said[-1].pop()
            return EnvStep(Observation(_error("the call took too long"), Outcome.TOOL_ERROR), truncated=True)
        self._turns[-1] += [made] if made else []
        self._said[-1][-1] = calls_text(made)
        left = iter(results)
        told = [_error(problem) if problem else next(left) for problem in problems]
        return self._going_on(Observation(_one_text(told), _outcome(problems, told)))

    def _problem(self, call: ToolCall) -> str:
        """Why a call may not be executed: it has to be one of a function that is offered, with names for arguments."""
        if call.name not in self._offered:
            name = call.name[:100]
            return f"there is no tool {name!r}{did_you_mean(name, self._offered)}"
        odd = next((key for key in call.arguments if not key.isidentifier()), None)
        return "" if odd is None else f"{odd[:100]!r} is no name of an argument"


def _official(call: ToolCall, question: Question) -> ToolCall:
    """The call under its official name."""
    return ToolCall(question.names.get(call.name, call.name), call.arguments)


def _one_text(results: Sequence[str]) -> str:
    """What the agent is told: the result of one call as it is, those of several as a JSON list."""
    return results[0] if len(results) == 1 else orjson.dumps(results).decode()


def _outcome(problems: Sequence[str], results: Sequence[str]) -> Outcome:
    if any(problems):
        return Outcome.UNKNOWN_TOOL if any("no tool" in problem for problem in problems) else Outcome.BAD_ARGUMENTS
    failed = any(result.startswith((_FAILED, _ERROR)) for result in results)
    return Outcome.TOOL_ERROR if failed else Outcome.OK


async def _ask(official: Official, do: str, **about: Any) -> dict[str, Any]:
    """Asks a checker; one that takes too long is no fault of the agent's."""
    try:
        return await official.ask(do, **about)
    except TimeoutError as error:
        raise ToolServerError("BFCL's checker took too long") from error


def _data(verdict: Verdict) -> dict[str, Any]:
    return orjson.loads(orjson.dumps(verdict))


def _error(problem: str) -> str:
    return orjson.dumps({"error": problem}).decode()
