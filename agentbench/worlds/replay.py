"""Gold chains carried out in the real environment with the real tools, and their answers compared with the plan's.

A task is only kept when every call succeeds under the task's own availability and rules, every search brings up the
document it has to, and the last call of each turn shows the answer, at each granularity alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

from agentbench.config.env import Granularity
from agentbench.envs.tool_env import ToolEnv
from agentbench.tasks.answers import number_text
from agentbench.tasks.gold import filled_in
from agentbench.tools import Tool
from agentbench.tools.retriever.bm25 import Bm25Retriever
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.types import Answer, AnswerType, CallTools, Final, Gold, Outcome, Task, ToolCall
from agentbench.worlds.hops import Drop
from agentbench.worlds.manifest import World

TOP_K = 3
"""A gold document must be among so many results of its search."""
_TIMEOUT_S = 10.0
_SHOWN_VALUES = 20


class Replay:
    """The tools of one world; a context manager, since it holds the database open."""

    def __init__(self, world: World) -> None:
        manifest = world.manifest
        self._database = Database(world.database, _TIMEOUT_S)
        self._universes = manifest.universes
        self._rest = rest_tools(self._database, manifest.endpoints, _SHOWN_VALUES)
        self._search: tuple[Tool, ...] = ()
        if manifest.collection:
            retriever = Bm25Retriever(world.index)
            name = manifest.collection.name
            self._search = (retrieve_documents_tool({name: retriever}, (manifest.collection,), TOP_K),)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    async def check(self, task: Task, granularity: Granularity) -> None:
        """Nothing, when the task's gold holds.

        Raises:
            Drop: a call fails, a search misses its document, or the tools give another answer than the plan.
        """
        env = ToolEnv(self.tools(granularity), enforce_rules=True)
        await env.reset(task)
        done: list[_Done] = []
        for turn in task.turns:
            before = len(done)
            for action in turn.gold.actions:
                done.append(await _carry_out(env, action.calls[0], done))
            _compare(turn.gold, done[:before], done[before:])
            await env.step(Final(""))

    def tools(self, granularity: Granularity) -> tuple[Tool, ...]:
        """The tools of one episode: API tools of the granularity, and document search."""
        return (*self._api(granularity), *self._search)

    def _api(self, granularity: Granularity) -> tuple[Tool, ...]:
        match granularity:
            case Granularity.REST:
                return self._rest
            case Granularity.SLOT_FILLING:
                return slot_filling_tools(self._database, self._universes, _SHOWN_VALUES)
            case Granularity.SELECTION:
                return selection_tools(self._database, self._universes, _SHOWN_VALUES)


class _Done(NamedTuple):
    """A gold call with its references filled in, and the JSON it gave."""

    call: ToolCall
    result: dict[str, Any]


async def _carry_out(env: ToolEnv, gold: ToolCall, done: Sequence[_Done]) -> _Done:
    call = filled_in(gold, dict(enumerate((item.result for item in done), 1)), gold.name)
    step = await env.step(CallTools((call,)))
    if step.observation.outcome is not Outcome.OK:
        raise Drop(f"{call.name} gives {step.observation.outcome}")
    return _Done(call, orjson.loads(step.observation.text))


def _compare(gold: Gold, earlier: Sequence[_Done], now: Sequence[_Done]) -> None:
    if not now:
        return
    searches = [item.result["results"] for item in now if item.call.name == "retrieve_documents"]
    for document, hits in zip(gold.documents, searches, strict=True):
        if document not in [hit["id"] for hit in hits]:
            raise Drop("the search misses its document")
    if now[-1].call.name == "retrieve_documents":
        _compare_document(gold, searches[-1])
    elif not _shows(gold.answer, now[-1].result, {*_arguments(earlier), *_arguments(now)}):
        raise Drop("tools and plan disagree")


def _arguments(done: Sequence[_Done]) -> Iterator[str]:
    return (str(value) for item in done for value in item.call.arguments.values())


def _compare_document(gold: Gold, hits: list[dict[str, str]]) -> None:
    text = next(f"{hit.get('title', '')}\n{hit['text']}" for hit in hits if hit["id"] == gold.documents[-1])
    if not all(value in text for value in _texts(gold.answer)):
        raise Drop("the document does not say the answer")


def _texts(answer: Answer) -> Iterator[str]:
    match answer.value:
        case tuple() as values:
            yield from values
        case float() as number:
            yield number_text(number)
        case value:
            yield str(value)


def _shows(answer: Answer, result: dict[str, Any], said: set[str]) -> bool:
    """Whether a result is the answer; of items it may hold more, if the task said them before."""
    first = next(iter(result.values()))
    values = first if isinstance(first, list) else [first]
    if answer.type is not AnswerType.ITEMS or not isinstance(answer.value, tuple):
        return bool(values) and bool(values[0] == answer.value)
    texts, items = [str(value) for value in values], set(answer.value)
    return items <= set(texts) and len(texts) == len(set(texts)) and set(texts) - items <= said
