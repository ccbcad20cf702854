"""Requests to an assistant, written by a language model about topics that are drawn for it, as tasks without an answer.

A model that is asked for the same thing again writes the same thing again: each question names another topic, the
number of steps, and what exists already. Requests that differ in case and punctuation only count as one. Splits share
no request; they share topics.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from agentbench.llm.quoting import block
from agentbench.llm.structured import StructuredError, StructuredLlm
from agentbench.tasks.files import write_tasks
from agentbench.types import Answer, AnswerType, Gold, Task, ToolSpec, Turn

REQUESTS_PROMPT = Path(__file__).parent / "prompts" / "requests.txt"
"""The instructions a model gets where the configuration names no others."""
AT_ONCE = 5
"""Requests that are asked for in one question."""
SHOWN = 10
"""Requests of the same topic that the model is shown."""
MOST_STEPS = 5

TOPICS = (
    *("astronomy", "biology", "birthdays", "books", "budgeting", "car repair", "chemistry", "children's homework"),
    *(
        "city history",
        "climate",
        "computer hardware",
        "conversions of units",
        "cooking",
        "currency",
        "diets",
        "elections",
    ),
    *("email to colleagues", "energy bills", "family visits", "films", "fitness", "football", "gardening", "geography"),
    *("health appointments", "holidays", "house moving", "insurance", "job applications", "languages", "law", "loans"),
    *("mathematics", "medicine", "meetings", "museums", "music", "party planning", "pets", "philosophy", "physics"),
    *("programming", "public transport", "rent", "sales figures", "shopping lists", "statistics", "tax", "travel"),
    *("time zones", "universities", "volunteering", "weather records", "weddings", "wine", "woodwork", "world records"),
)


class Requests(BaseModel):
    """What the model writes."""

    model_config = ConfigDict(extra="forbid")

    requests: list[str] = Field(min_length=1, max_length=AT_ONCE)


class Wish(NamedTuple):
    """What is to be written."""

    counts: Mapping[str, int]
    """Requests by split."""
    multi_step: float
    """Share of the requests that need 2 to `MOST_STEPS` calls; the others need one."""
    seed: int


class Made(NamedTuple):
    """Tasks by split, and questions that brought nothing usable."""

    tasks: dict[str, tuple[Task, ...]]
    failed: int


async def prepare_requests(
    wish: Wish, tools: Sequence[ToolSpec], ask: StructuredLlm, instructions: str, report: Callable[[str], None]
) -> Made:
    """Asks until the counts are met, at most four times as often as it would take if all were usable.

    Raises:
        LlmError: the model could not be asked.
    """
    writer = _Writer(wish, tools, ask, instructions)
    wanted = sum(wish.counts.values())
    for question in range(4 * -(-wanted // AT_ONCE)):
        if len(writer.written) >= wanted:
            break
        await writer.write_some(question)
        report(f"{min(len(writer.written), wanted)} of {wanted} requests")
    return Made(dict(_by_split(wish, writer.written)), writer.failed)


def write_requests(folder: Path, made: Made) -> dict[str, Path]:
    """One task file for each split."""
    paths = {split: folder / f"{split}.jsonl" for split in made.tasks}
    for split, path in paths.items():
        write_tasks(path, made.tasks[split])
    return paths


class _Written(NamedTuple):
    text: str
    topic: str
    steps: int


class _Writer:
    def __init__(self, wish: Wish, tools: Sequence[ToolSpec], ask: StructuredLlm, instructions: str) -> None:
        self.written: list[_Written] = []
        self.failed = 0
        self._wish = wish
        self._tools = [{"name": tool.name, "description": tool.description} for tool in tools]
        self._ask = ask
        self._instructions = instructions
        self._known: set[str] = set()

    async def write_some(self, question: int) -> None:
        """Puts one question and keeps what is new."""
        dice = Random(f"{self._wish.seed}:{question}")
        topic = dice.choice(TOPICS)
        steps = dice.randint(2, MOST_STEPS) if dice.random() < self._wish.multi_step else 1
        messages = (
            {"role": "system", "content": self._instructions},
            {"role": "user", "content": self._question(topic, steps)},
        )
        try:
            said = await self._ask.ask("requests", messages, Requests.model_json_schema(), dice.getrandbits(31))
        except StructuredError as error:
            if not error.generations:
                raise
            self.failed += 1
            return
        for text in said.value["requests"]:
            self._keep(_Written(" ".join(text.split()), topic, steps))

    def _question(self, topic: str, steps: int) -> str:
        there = [one.text for one in self.written if one.topic == topic][-SHOWN:]
        wish = f"Write {AT_ONCE} requests about {topic}, each to be met in {steps} tool call{'s' if steps > 1 else ''}."
        return "\n\n".join((block("tools", *self._tools), block("existing", *there), wish))

    def _keep(self, one: _Written) -> None:
        key = re.sub(r"\W+", " ", one.text).strip().lower()
        if key and key not in self._known:
            self._known.add(key)
            self.written.append(one)


def _by_split(wish: Wish, written: Sequence[_Written]) -> Iterator[tuple[str, tuple[Task, ...]]]:
    """The requests dealt to the splits in an order of chance, so that no split holds the first topics alone."""
    order = list(written)
    Random(wish.seed).shuffle(order)
    start = 0
    for split, count in wish.counts.items():
        part = order[start : start + count]
        start += count
        yield split, tuple(_task(f"assistant-{split}-{number:05d}", split, one) for number, one in enumerate(part))


def _task(name: str, split: str, one: _Written) -> Task:
    scenario = "multi_step" if one.steps > 1 else "single_step"
    data = {"split": split, "scenario": scenario, "topic": one.topic, "steps": one.steps}
    return Task(name, "assistant", "assistant", (Turn(one.text, Gold(Answer(AnswerType.TEXT, None))),), data=data)
