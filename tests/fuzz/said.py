"""Parsers of what models write and servers answer: one function for each, bytes in, nothing out.

Text that stands for no action is an action too, so templates may not even raise our own errors.
"""

from __future__ import annotations

import contextlib
import dataclasses
from functools import cache
from typing import Any

import orjson
from tokenizers import Tokenizer as Rust
from tokenizers import decoders, models, pre_tokenizers, trainers

from agentbench.config.agent import CodeForm
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.encoding import decode, encode
from agentbench.errors import AgentbenchError
from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.openai_json import read_chat, read_completion, read_models
from agentbench.llm.structured import read_object
from agentbench.policies.coder import read_code, written
from agentbench.policies.llm_overseer import LlmOverseer
from agentbench.policies.plans import plan_schema
from agentbench.scoring.judge import LlmJudge
from agentbench.scoring.rating import RatingScorer
from agentbench.tasks.tool_usage import readings
from agentbench.templates import Family, Template
from agentbench.templates.plain import student_deepseek_coder
from agentbench.templates.student_granite3 import StudentGranite3
from agentbench.templates.student_mistral import StudentMistral
from agentbench.templates.student_qwen3 import StudentQwen3
from agentbench.templates.student_qwen25 import StudentQwen25
from agentbench.templates.teacher import Teacher
from agentbench.templates.tiny import CONTROL_TOKENS, Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import Tokenizer
from agentbench.tools.assistant.pages import page_text
from agentbench.tools.function.calculator import calculate
from agentbench.tools.retriever.elasticsearch import looked_up
from agentbench.tools.simulated.simulated_tool import Faults, SimulatedTool, Stage
from agentbench.types import (
    Action,
    CallTools,
    Decision,
    EndReason,
    Final,
    History,
    Malformed,
    Observation,
    Step,
    StepCategory,
    ToolCall,
    Trajectory,
)
from tests.fuzz import parts

FAMILIES: dict[str, Family] = {
    "tiny": Tiny(),
    "student_qwen3": StudentQwen3(),
    "student_qwen25": StudentQwen25(),
    "student_mistral": StudentMistral(),
    "student_granite3": StudentGranite3(),
    "student_deepseek_coder": student_deepseek_coder(),
}
REQUEST = Request(Prompt("x", (1, 2), ({"role": "user", "content": "x"},)), Sampling(), 1, ("</s>",), role="agent")
HISTORY = History((), Observation("Who directed Heat?"))


def template(name: str, data: bytes) -> None:
    """Reads a completion; what was read can be stored, said again, and is then read the same."""
    text = parts.text_of(data)
    read, say = _template(name)
    action = read(text)
    _stored(action)
    again = read(say(action))
    assert again == action or isinstance(action, Malformed), f"{action!r} is read again as {again!r}"


def wall(data: bytes) -> None:
    """Whatever users, tools and models say, a prompt holds the control tokens of its layout and no others."""
    text = parts.text_of(data[:2000]).encode("utf-8", "replace").decode()
    for name in FAMILIES:
        rendered = [_control_tokens(name, said) for said in ("plain", text)]
        assert rendered[0] == rendered[1], f"{name}: {text!r} is read as a control token"


def plan(data: bytes) -> None:
    """A planner's plan, and a caller's arguments by a tool's schema."""
    text = parts.text_of(data)
    read_object(text, plan_schema(("get_director", "get_titles_since"), 100))
    for tool in parts.tools("rest"):
        read_object(text, tool.spec.parameters)


def code(data: bytes) -> None:
    """A coding agent's step in both forms."""
    text = parts.text_of(data)
    for form in CodeForm:
        action = read_code(text, form)
        again = read_code(written(action, form), form)
        assert isinstance(again, Malformed | type(action)), f"{action!r} is read again as {again!r}"


def judges(data: bytes) -> None:
    """Verdicts of a judge, a rating, an overseer, and a simulated tool's answer: all of the one model."""
    ask = parts.saying(parts.text_of(data))
    ended = Trajectory(parts.TASK, HISTORY, EndReason.FINAL)
    parts.finished(LlmJudge(ask, "Judge.", 1).correct("q", "a", "g"))
    parts.finished(RatingScorer(ask, "Rate.", 1).score(ended))
    tool = SimulatedTool(
        parts.tools("rest")[0].spec, Stage("Who?", "t", 1), ask, "Play the tool.", faults=Faults(0.0, 0.0)
    )
    for asked in (
        LlmOverseer(parts.TASK, 3, ask, "Oversee.", seed=1).stuck(HISTORY, Decision(Final("Mann"))),
        tool.call({"title": "Heat"}),
    ):
        ours(parts.finished, asked)


def calculator(data: bytes) -> None:
    """An expression."""
    result = ours(calculate, parts.text_of(data))
    orjson.dumps(result)


def calls(kind: str, data: bytes) -> None:
    """Calls one after the other in an environment, as `[[tool, arguments], …]`; misuse is an observation."""
    env = ToolEnv(parts.tools(kind), enforce_rules=True)
    parts.finished(env.reset(parts.TASK))
    for name, arguments in _calls(data):
        step = parts.finished(env.step(CallTools((ToolCall(name, arguments),))))
        step.observation.text.encode()


def query(data: bytes) -> None:
    """A search, in tantivy and as an Elasticsearch server is asked."""
    text = parts.text_of(data)
    (tool,) = (tool for tool in parts.tools("rest") if tool.spec.name == "retrieve_documents")
    orjson.dumps(looked_up(text))
    parts.finished(tool.call({"collection": "films", "query": text}))


def chat_answer(data: bytes) -> None:
    """A server's answer; what is read can be stored, and be read by the template that reads it."""
    for read in (read_chat, read_completion):
        try:
            generation = read(data, REQUEST)
        except ValueError:
            continue
        orjson.dumps(generation)
        orjson.dumps(Teacher().parse(generation.completion))
    with contextlib.suppress(ValueError):
        read_models(data)


def web_page(data: bytes) -> None:
    """The text of a page."""
    page_text(data.decode("utf-8", "replace"))


def policy(data: bytes) -> None:
    """A tool-usage policy in words."""
    readings(parts.text_of(data))


def ours(work: Any, *arguments: Any) -> Any:
    """What work gives; our own errors are an answer."""
    try:
        return work(*arguments)
    except AgentbenchError as error:
        assert str(error).strip(), "an error without a message"
        return None


def _calls(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return []
    listed = found[:8] if isinstance(found, list) else []
    return [(each[0], each[1]) for each in listed if isinstance(each, list) and _is_call(each)]


def _is_call(each: list[Any]) -> bool:
    return len(each) == 2 and isinstance(each[0], str) and isinstance(each[1], dict)


def _stored(action: Action) -> None:
    """Writes an episode with this action, and reads it."""
    step = Step(Decision(action), Observation(""), StepCategory.OTHER_CALL)
    decode(encode(Trajectory(parts.TASK, dataclasses.replace(HISTORY, steps=(step,)), EndReason.FINAL)))


@cache
def _template(name: str) -> tuple[Any, Any]:
    if name == "teacher":
        return Teacher().parse, Teacher().render_action
    family = FAMILIES[name]
    return family.parse, lambda action: "".join(piece.text for piece in family.action(action)[:-1])


@cache
def _tokenizer() -> Tokenizer:
    """Of bytes, with the control tokens of every family."""
    rust = Rust(models.BPE())
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.decoder = decoders.ByteLevel()
    named = {piece.text for family in FAMILIES.values() for piece in _pieces(family) if piece.control}
    special = sorted(named | set(CONTROL_TOKENS))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    rust.train_from_iterator(
        [], trainers.BpeTrainer(special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    return Tokenizer(rust.to_str().encode())


def _pieces(family: Family) -> list[Any]:
    spoken: tuple[Action, ...] = (CallTools((ToolCall("f", {"a": 1, "b": "x"}),), "t"), Final("a", "t"))
    told = [part for action in spoken for part in family.action(action)]
    step = Step(Decision(spoken[0]), Observation("o"), StepCategory.OTHER_CALL)
    return [
        *family.opening("s", (parts.tools("rest")[0].spec,), "q"),
        *told,
        *family.observation(step),
    ]


@cache
def _rendering(name: str) -> Template:
    return TokenTemplate(FAMILIES[name], _tokenizer(), "Be brief.")


def _control_tokens(name: str, said: str) -> list[int]:
    """The control tokens of a prompt in which a text stands wherever somebody else has a say."""
    steps = tuple(
        Step(Decision(action), Observation(said), StepCategory.OTHER_CALL)
        for action in (CallTools((ToolCall("f", {"a": said}),), said or "t"), Final(said, said or "t"))
    )
    ids = _rendering(name).render(History((), Observation(said), steps)).ids
    return [number for number in ids if number in _tokenizer().control_ids]
