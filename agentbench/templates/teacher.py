"""Plain chat messages with tool declarations, for models whose server owns layout and tokens.

A completion is plain text where the model only spoke, otherwise the JSON that `llm.openai_json` writes for calls:
`{"content": "…", "tool_calls": [{"name": "…", "arguments": {…}}]}`. Tool messages need the id of a call; ids
count steps and calls, and a step with several calls answers each with the same observation.

The server makes the tokens, and may read control tokens out of any text it is sent. So those of common families are
broken in everything but the system text (see `llm.quoting`), and made whole again in what comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentbench.llm import Prompt
from agentbench.llm.quoting import broken, mapped, whole
from agentbench.templates import Rendered
from agentbench.templates.calls import call_object, declaration, json_text, read_call, read_json
from agentbench.templates.markers import Guard
from agentbench.types import Action, CallTools, Exchange, Final, Generation, History, Malformed, Step

_CALLS = '"tool_calls"'
_GUARD = Guard(_CALLS)

Message = dict[str, Any]


class Teacher:
    """A `Template` of messages; it needs no tokenizer and its prompts carry no ids."""

    stop: tuple[str, ...] = ()

    def __init__(self, system: str = "") -> None:
        self._system: tuple[Message, ...] = ({"role": "system", "content": system},) if system else ()

    def render(self, history: History, before: Rendered | None = None) -> Prompt:
        """The conversation so far, given turns included, and the tools, both in the OpenAI form."""
        if before is not None and before.goes_on_in(history):
            known = len(before.history.steps)
            new = (part for number, step in enumerate(history.steps[known:], known) for part in _messages(number, step))
            return Prompt(messages=(*before.prompt.messages, *new), tools=before.prompt.tools)
        given = (message for exchange in history.earlier for message in _given(exchange))
        question: Message = {"role": "user", "content": broken(history.opening.text)}
        later = (message for number, step in enumerate(history.steps) for message in _messages(number, step))
        tools = tuple(mapped(declaration(tool), broken) for tool in history.tools)
        return Prompt(messages=(*self._system, *given, question, *later), tools=tools)

    def parse(self, completion: str) -> Action:
        """The action a completion stands for; `Malformed` when it stands for none. Never raises."""
        try:
            if completion.lstrip().startswith("{") and _CALLS in completion:
                return _read_calls(completion)
            return _GUARD.read_final(whole(completion))
        except ValueError as error:
            return Malformed(completion, str(error))

    def read(self, said: Generation) -> Action:
        """The action a completion stands for; what is a call was decided by the server, whose tokens are its own."""
        return self.parse(said.completion)

    def render_action(self, action: Action) -> str:
        """The completion text of an action."""
        match action:
            case CallTools(calls, thought):
                said = {"content": thought, "tool_calls": [call_object(call) for call in calls]}
                return json_text(mapped(said, broken))
            case Final(answer, thought):
                return _spoken(thought, answer)
            case Malformed(text, _):
                return text


def _given(exchange: Exchange) -> tuple[Message, ...]:
    question = {"role": "user", "content": broken(exchange.query)}
    return (question, {"role": "assistant", "content": _spoken("", exchange.answer)})


def _spoken(thought: str, answer: str) -> str:
    return broken(_GUARD.thought_and_answer(thought, answer))


def _messages(number: int, step: Step) -> Iterator[Message]:
    """What a step adds to the conversation."""
    text = broken(step.observation.text)
    match step.decision.action:
        case CallTools(calls, thought):
            functions = [
                {"name": broken(call.name), "arguments": json_text(mapped(call.arguments, broken))} for call in calls
            ]
            ids = [f"call_{number}_{index}" for index in range(len(calls))]
            said = [{"id": i, "type": "function", "function": it} for i, it in zip(ids, functions, strict=True)]
            yield {"role": "assistant", "content": broken(thought), "tool_calls": said}
            yield from ({"role": "tool", "tool_call_id": i, "content": text} for i in ids)
        case Final(answer, thought):
            yield {"role": "assistant", "content": _spoken(thought, answer)}
            yield {"role": "user", "content": text}
        case Malformed(said, _):
            yield {"role": "assistant", "content": broken(said)}
            yield {"role": "user", "content": text}


def _read_calls(completion: str) -> CallTools:
    value = mapped(read_json(completion), whole)
    calls, content = value.get("tool_calls"), value.get("content", "")
    if not isinstance(calls, list) or not calls or not isinstance(content, str):
        raise ValueError("tool_calls must be a list of calls and content a text")
    return CallTools(tuple(read_call(call) for call in calls), content)
