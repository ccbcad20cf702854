"""An agent that acts by code and writes it as text: a JSON object of thought and action, or words and a code block.

Models that were never taught to call tools write code better this way, and data sets of either form are common: steps
as prompt → {thought, action}, and conversations of roles. Both are views of the episode, as a planner's: a history
without tools whose actions are the texts as they were sampled, so templates render it and rows are made of it by the
code that serves everybody.
"""

from __future__ import annotations

import dataclasses
import re

from agentbench.config.agent import CodeForm
from agentbench.llm import Request
from agentbench.policies.callers import Voice
from agentbench.policies.chat import step_seed
from agentbench.templates.calls import json_text, read_json
from agentbench.types import (
    Action,
    Actor,
    CallTools,
    Decision,
    Final,
    Generation,
    History,
    Malformed,
    Observation,
    Step,
    ToolCall,
)

_PYTHON = "python"
_BLOCK = re.compile(
    r"^(?P<fence>`{3,})[ \t]*(?:python|py)?[ \t]*\n(?P<code>.*?)^(?P=fence)[ \t]*$", re.DOTALL | re.MULTILINE
)
_FORMS = {
    CodeForm.JSON: (
        'Write every step as one JSON object and nothing else: {"thought": why, "action": Python code}; or, to end'
        ' without code, {"thought": why, "answer": text}.'
    ),
    CodeForm.MARKDOWN: (
        "Write every step as a sentence or two on why, then one block of Python code between ```python and ```. A"
        " message without a block ends the work."
    ),
}
"""What the agent is told about its form, before the request."""


class Coder:
    """The policy; the history is all that decides."""

    def __init__(self, voice: Voice, form: CodeForm, seed: int) -> None:
        self._voice = voice
        self._form = form
        self._seed = seed

    async def act(self, history: History) -> Decision:
        """The next code or answer; text of another form becomes a `Malformed` action.

        Raises:
            LlmError: the model could not answer.
        """
        voice = self._voice
        request = Request(
            voice.template.render(coder_view(history, self._form)),
            voice.sampling,
            step_seed(self._seed, len(history.steps)),
            (*voice.template.stop, *voice.stop),
            episode=self._seed,
        )
        said = await voice.llm.generate(request)
        return Decision(read_code(said.completion, self._form), Actor.AGENT, generations=(said,))


def coder_view(history: History, form: CodeForm) -> History:
    """An episode as an agent sees it that writes code as text; steps that somebody else took read as its own."""
    opening = Observation("\n".join([_FORMS[form], "", history.opening.text]), history.opening.outcome)
    return History((), opening, tuple(_seen(step, form) for step in history.steps), history.earlier)


def read_code(completion: str, form: CodeForm) -> Action:
    """The action that a text stands for; `Malformed` when it stands for none. Never raises."""
    text = completion.rpartition("</think>")[2].strip()
    try:
        return _from_json(text) if form is CodeForm.JSON else _from_markdown(text)
    except ValueError as error:
        return Malformed(completion, str(error))


def written(action: Action, form: CodeForm) -> str:
    """The text of an action, as `read_code` reads it."""
    match action:
        case CallTools(calls=(ToolCall(arguments={"code": str(code)}),), thought=thought):
            return _json(thought, action=code) if form is CodeForm.JSON else _block(thought, code)
        case CallTools(calls=calls, thought=thought):
            return _json(thought, action=", ".join(f"{call.name}({json_text(call.arguments)})" for call in calls))
        case Final(answer=answer, thought=thought):
            return (
                _json(thought, answer=answer) if form is CodeForm.JSON else "\n".join(filter(None, (thought, answer)))
            )
        case Malformed(text=text):
            return text


def _seen(step: Step, form: CodeForm) -> Step:
    decision = step.decision
    said = _said(decision)
    text = said.completion if said is not None else written(decision.action, form)
    told = Decision(Malformed(text, ""), decision.actor, generations=(said,) if said is not None else ())
    return dataclasses.replace(step, decision=told, branches=(), duplicates=())


def _said(decision: Decision) -> Generation | None:
    if decision.actor is not Actor.AGENT:
        return None
    return next((said for said in reversed(decision.generations) if said.role == "agent"), None)


def _from_json(text: str) -> Action:
    match read_json(text):
        case {"action": str(code), **rest}:
            return CallTools((ToolCall(_PYTHON, {"code": code}),), str(rest.get("thought", "")))
        case {"answer": str(answer), **rest}:
            return Final(answer, str(rest.get("thought", "")))
    raise ValueError("the object needs the key action or answer, with a text")


def _from_markdown(text: str) -> Action:
    found = _BLOCK.search(text)
    if found is not None:
        return CallTools((ToolCall(_PYTHON, {"code": found["code"].rstrip("\n")}),), text[: found.start()].strip())
    if "```" in text:
        raise ValueError("a code block without its end")
    return Final(text)


def _json(thought: str, **said: str) -> str:
    return json_text({"thought": thought, **said})


def _block(thought: str, code: str) -> str:
    fence = "```"
    while fence in code:
        fence += "`"
    return "\n".join([*([thought] if thought else []), f"{fence}python", code, fence])
