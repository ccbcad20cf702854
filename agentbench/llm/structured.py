"""Answers of a model as JSON objects of a known form: asked for, read, checked, and asked for again where they fail.

Servers that can are told the schema (`Request.schema`) and hold the model to it; the others find it in the prompt.
Neither is trusted: every answer is validated here. Code fences, thoughts and sentences around an object are put up
with; of several objects the last one that satisfies the schema counts, because conclusions stand at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from agentbench.errors import LlmError
from agentbench.llm import Llm, Prompt, Request, Sampling
from agentbench.llm.quoting import broken, quoted
from agentbench.types import Generation

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

ATTEMPTS = 3
"""How often one question is put before it counts as failed."""
DEEPEST = 32
"""Levels of lists and objects that an answer may have; what is read here is stored later."""
MOST_STARTS = 100
"""In how many places of an answer an object is looked for."""
LONGEST_COMPLAINT = 300
"""Longest statement of a problem, and longest quotation in an error, in characters."""

Message = dict[str, Any]
Check = Callable[[dict[str, Any]], str]
"""What is wrong with an object, in words; empty if nothing is. It sees objects of any form."""

_UNGUIDED = "Answer with one JSON object and nothing else. It has to satisfy this JSON Schema:\n"

_LENIENT = json.JSONDecoder(strict=False)


class Structured(NamedTuple):
    """An answer, and all that was said on the way to it."""

    value: dict[str, Any]
    generations: tuple[Generation, ...]
    """Every attempt, the failed ones too: each was paid for."""


class StructuredError(LlmError):
    """No answer of the form that was asked for; `generations` holds the attempts that came back."""

    def __init__(
        self, message: str, next_step: str, generations: tuple[Generation, ...], *, retryable: bool = False
    ) -> None:
        super().__init__(message, next_step, retryable=retryable)
        self.generations = generations


class Reading(NamedTuple):
    """What was found in a text; `problem` is empty where it is an object of the right form."""

    value: dict[str, Any]
    problem: str


class StructuredLlm:
    """Asks a model for objects. Plain chat messages go in, so it needs a model that takes messages."""

    def __init__(self, llm: Llm, sampling: Sampling, schema_guided: bool) -> None:
        self._llm = llm
        self._sampling = sampling
        self._guided = schema_guided

    async def ask(
        self, role: str, messages: Sequence[Message], schema: dict[str, Any], seed: int, *, check: Check | None = None
    ) -> Structured:
        """An object that satisfies `schema` and, where one is given, `check`, whose words go before the schema's.

        Each further attempt has the next seed and is told what was wrong with the one before.

        Raises:
            StructuredError: the model could not be asked, or none of `ATTEMPTS` answers had the form.
        """
        asked = tuple(messages) if self._guided else _with_schema(messages, schema)
        further: tuple[Message, ...] = ()
        said: list[Generation] = []
        problem = ""
        for attempt in range(ATTEMPTS):
            prompt, guide = Prompt(messages=(*asked, *further)), schema if self._guided else None
            request = Request(prompt, self._sampling, seed + attempt, role=role, schema=guide)
            said.append(await self._generate(request, said))
            value, problem = self._read(said[-1], schema, check)
            if not problem:
                return Structured(value, tuple(said))
            further = _once_more(said[-1].completion, problem)
        raise self._failed(role, problem, said)

    async def _generate(self, request: Request, said: Sequence[Generation]) -> Generation:
        try:
            return await self._llm.generate(request)
        except LlmError as error:
            refused = self._guided and not error.retryable and not error.next_step
            advice = "set schema_guided=false if the server knows no response_format" if refused else error.next_step
            raise StructuredError(str(error), advice, tuple(said), retryable=error.retryable) from error

    def _read(self, generation: Generation, schema: dict[str, Any], check: Check | None) -> Reading:
        value, problem = read_object(generation.completion, schema, check)
        if problem and generation.finish_reason == "length":
            problem = f"it was cut off after {self._sampling.max_tokens} tokens; {problem}"
        return Reading(value, problem)

    def _failed(self, role: str, problem: str, said: Sequence[Generation]) -> StructuredError:
        came = " ".join(said[-1].completion.split())[:LONGEST_COMPLAINT]
        message = f"the {role} gave no usable answer in {ATTEMPTS} attempts: {problem}; the last one was {came!r}"
        cut = said[-1].finish_reason == "length"
        advice = "raise its endpoint's max_tokens" if cut else "use a stronger model, or one held to a schema"
        return StructuredError(message, advice, tuple(said))


def read_object(text: str, schema: dict[str, Any], check: Check | None = None) -> Reading:
    """The last JSON object in a text that satisfies `schema` and `check`, else what is wrong with the last one."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema)
    reading = Reading({}, "there is no JSON object in it")
    for value in reversed(list(_objects(text))):
        problem = _problem(value, validator, check)
        if not problem:
            return Reading(value, "")
        reading = reading if reading.value else Reading(value, problem)
    return reading


def _problem(value: dict[str, Any], validator: Any, check: Check | None) -> str:
    if not _shallow(value, DEEPEST):
        return f"it is nested more than {DEEPEST} levels deep"
    problem = check(value) if check is not None else ""
    if not problem:
        from jsonschema.exceptions import best_match

        error: ValidationError | None = best_match(validator.iter_errors(value))
        problem = _told(error) if error is not None else ""
    return problem if len(problem) <= LONGEST_COMPLAINT else f"{problem[:LONGEST_COMPLAINT]} …"


def _told(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path)
    message = " ".join(error.message.split())
    return f"at {place!r}: {message}" if place else message


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The objects in a text that stand in no other object, from the first to the last."""
    whole = _loaded(text)
    if isinstance(whole, dict):
        yield whole
        return
    place = text.find("{")
    for _ in range(MOST_STARTS):
        if place < 0:
            return
        end = _end(text, place)
        value = _loaded(text[place:end])
        if isinstance(value, dict):
            yield value
        place = text.find("{", max(end, place + 1))


def _end(text: str, place: int) -> int:
    """Where the object that begins at `place` ends; `place` itself if none does."""
    try:
        return _LENIENT.raw_decode(text, place)[1]
    except (ValueError, RecursionError):
        return place


def _loaded(text: str) -> Any:
    """The value that a text is, `None` for none. Control signs may stand in strings as they are, a tab for one: JSON
    wants them escaped, and servers that hold a model to a schema (vLLM by xgrammar) let it write them."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return orjson.loads(json.dumps(_LENIENT.decode(text)))
    except (ValueError, RecursionError):
        return None


def _shallow(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(_shallow(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_shallow(item, levels - 1) for item in value)
    return True


def _with_schema(messages: Sequence[Message], schema: dict[str, Any]) -> tuple[Message, ...]:
    """The messages with the schema at the end of their system message, which is made where there is none."""
    wish = _UNGUIDED + quoted(schema)
    if messages and messages[0].get("role") == "system":
        return ({"role": "system", "content": f"{messages[0]['content']}\n\n{wish}"}, *messages[1:])
    return ({"role": "system", "content": wish}, *messages)


def _once_more(completion: str, problem: str) -> tuple[Message, ...]:
    said = {"role": "assistant", "content": broken(completion.strip()) or "(nothing)"}
    wish = f"That answer cannot be used: {problem}. Mend this, and answer again with one JSON object and nothing else."
    return (said, {"role": "user", "content": broken(wish)})
