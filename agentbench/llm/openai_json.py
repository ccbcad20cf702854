"""What an OpenAI-compatible server is sent, and what its answers say.

Calls come back as text of one fixed form, so that a generation keeps them without loss and `templates.teacher` can read
them: `{"content": "…", "tool_calls": [{"name": "…", "arguments": {…}}]}`; arguments that are no JSON stay the
string they were. A message without calls is its content.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import orjson

from agentbench.errors import LlmError
from agentbench.llm import Request, Sampling
from agentbench.types import Generation, Usage

T = TypeVar("T")

SEED_BITS = 0x7FFFFFFF
"""Seeds are cut to 31 bits, the widest that all servers take."""


class Spent(NamedTuple):
    """What it took to get an answer; see the fields of `Generation`."""

    seconds: float = 0.0
    queue_seconds: float = 0.0
    faults: tuple[str, ...] = ()


NOTHING_SPENT = Spent()
MOST_TOKENS = 2**53
"""No server counts so many: sums of what is less stay exact, and fit the records."""


def chat_body(request: Request) -> dict[str, Any]:
    """The body for /chat/completions, less the model's name.

    Raises:
        LlmError: the prompt holds no messages.
    """
    if not request.prompt.messages:
        raise LlmError("chat mode needs messages, and this template writes its own prompt", "use template=teacher")
    tools = {"tools": request.prompt.tools} if request.prompt.tools else {}
    return {"messages": request.prompt.messages, **tools, **_sampling(request), **_guide(request)}


def completion_body(request: Request) -> dict[str, Any]:
    """The body for /completions, less the model's name. There vLLM knows `response_format`, llama.cpp `json_schema`.

    Control tokens are part of what a model says (`[TOOL_CALLS]`), so vLLM is told not to cut them out of the text.

    Raises:
        LlmError: the prompt holds neither ids nor text.
    """
    prompt = request.prompt.ids or request.prompt.text
    if not prompt:
        raise LlmError("completions mode needs a prompt, and this template gives messages", "use model.mode=chat")
    exact = {"skip_special_tokens": False, "spaces_between_special_tokens": False, "return_token_ids": True}
    also = {"json_schema": request.schema} if request.schema is not None else {}
    return {"prompt": prompt, "logprobs": 1, **exact, **_sampling(request), **_guide(request), **also}


def read_chat(body: bytes, request: Request, spent: Spent = NOTHING_SPENT) -> Generation:
    """The generation in an answer of /chat/completions.

    Raises:
        ValueError: there is none.
    """
    return _reading(body, lambda value: _chat(value, request, spent))


def read_completion(body: bytes, request: Request, spent: Spent = NOTHING_SPENT) -> Generation:
    """The generation in an answer of /completions; without ids where the server gives none.

    Raises:
        ValueError: there is none.
    """
    return _reading(body, lambda value: _completion(value, request, spent))


def read_models(body: bytes) -> tuple[str, ...]:
    """The names in an answer of /models, sorted.

    Raises:
        ValueError: it lists no models.
    """
    return _reading(body, lambda value: tuple(sorted(str(model["id"]) for model in value["data"])))


def _reading(body: bytes, read: Callable[[Any], T]) -> T:
    """What is read from a JSON text; whatever it lacks is one kind of error."""
    try:
        return read(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise ValueError("no JSON") from error
    except KeyError as error:
        raise ValueError(f"{error} is missing") from error
    except IndexError as error:
        raise ValueError("a list in it is empty") from error
    except (TypeError, AttributeError) as error:
        raise ValueError("of another form") from error


def _sampling(request: Request) -> dict[str, Any]:
    given = request.sampling
    limits = {"temperature": given.temperature, "top_p": given.top_p, "max_tokens": given.max_tokens}
    stop = {"stop": request.stop} if request.stop else {}
    return {**limits, "seed": request.seed & SEED_BITS, **stop, **_beyond_the_common(given)}


def _beyond_the_common(given: Sampling) -> dict[str, Any]:
    """Parameters that not every server knows: sent only where they are set."""
    return {name: value for name, value in given.uncommon.items() if value is not None}


def _guide(request: Request) -> dict[str, Any]:
    """The wish to be held to a schema. A service may refuse schemas that its strict mode does not cover."""
    if request.schema is None:
        return {}
    named = {"name": request.role, "schema": request.schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _chat(value: Any, request: Request, spent: Spent) -> Generation:
    choice = value["choices"][0]
    content, calls = _text(choice["message"].get("content")), choice["message"].get("tool_calls") or []
    said = [{"name": call["function"]["name"], "arguments": _arguments(call["function"])} for call in calls]
    completion = orjson.dumps({"content": content, "tool_calls": said}).decode() if said else content
    reason = _finish_reason(choice)
    return Generation(request.role, completion, finish_reason=reason, usage=_usage(value), **spent._asdict())


def _text(content: Any) -> str:
    """The text of a message, which some servers give in parts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    if content is not None and not isinstance(content, str):
        raise TypeError
    return content or ""


def _arguments(function: dict[str, Any]) -> Any:
    arguments = function.get("arguments")  # some servers leave them out where a tool takes none
    if arguments is None:
        return {}
    try:
        return orjson.loads(arguments) if isinstance(arguments, str) else arguments
    except orjson.JSONDecodeError:
        return arguments


def _completion(value: Any, request: Request, spent: Spent) -> Generation:
    choice = value["choices"][0]
    ids = _token_ids(choice.get("token_ids") or ())
    logprobs = tuple((choice.get("logprobs") or {}).get("token_logprobs") or ())
    text = choice["text"]
    if not isinstance(text, str):
        raise TypeError
    for stop in request.stop:
        text = text.removesuffix(stop)
    return Generation(
        role=request.role,
        completion=text,
        prompt_ids=_prompt_ids(choice.get("prompt_token_ids"), request.prompt.ids),
        completion_ids=ids,
        logprobs=logprobs if len(logprobs) == len(ids) else (),
        finish_reason=_finish_reason(choice),
        usage=_usage(value),
        seconds=spent.seconds,
        queue_seconds=spent.queue_seconds,
        faults=spent.faults,
    )


def _prompt_ids(given: Any, sent: tuple[int, ...]) -> tuple[int, ...]:
    """The ids that the server read; the very same object where they are those that were sent, to save memory."""
    return sent if not given or given == list(sent) else _token_ids(given)


def _token_ids(given: Any) -> tuple[int, ...]:
    ids = tuple(given)
    if not set(map(type, ids)) <= {int}:
        raise TypeError
    return ids


def _finish_reason(choice: dict[str, Any]) -> str:
    reason = choice.get("finish_reason")
    return reason if isinstance(reason, str) and reason else "stop"


def _usage(value: dict[str, Any]) -> Usage:
    usage = value.get("usage") or {}
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), _count(cached))


def _count(given: Any) -> int:
    """A number of tokens; 0 where the server says something else."""
    return int(given) if isinstance(given, (int, float)) and 0 <= given < MOST_TOKENS else 0
