"""Which tokens may come next, so that a completion satisfies a JSON Schema: for models in this process.

The grammar engine is llguidance (M. Moskal et al., https://github.com/guidance-ai/llguidance), which vLLM and llama.cpp
can use as well. A text that is cut off at its limit of tokens is no JSON: a schema that bounds its texts and lists
(`maxLength`, `maxItems`) and a limit that lets them be finished make a broken one impossible. Objects are written on
one line with a blank after `:` and `,`, as `json.dumps` writes them.

What a schema cannot say here is refused, not passed over; `format` other than the common ones, for example.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from agentbench.errors import LlmError

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer
    from llguidance._lib import JsonCompileOptions

INSTALL = "pip install 'agentbench[grammar]', or agent.guided=false"
"""What to do where the engine is missing."""

_GRAMMARS_KEPT = 256


class Guide:
    """One completion's way through its grammar."""

    def __init__(self, matcher: LLMatcher, vocabulary: int, stop_id: int) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        self._end = np.zeros(vocabulary, dtype=np.bool_)
        self._end[stop_id] = True

    def allowed(self) -> NDArray[np.bool_]:
        """For every token of the vocabulary, whether it may come next; once the text is whole, its end alone.

        Raises:
            LlmError: the engine gave up.
        """
        if self._matcher.is_stopped():
            self._refuse_error()
            return self._end
        mask = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._refuse_error()
        return np.unpackbits(mask, count=self._vocabulary, bitorder="little").astype(np.bool_)

    def take(self, token: int) -> None:
        """Goes on by a token that was allowed."""
        if not self._matcher.is_stopped():
            self._matcher.consume_token(token)

    def _refuse_error(self) -> None:
        if self._matcher.is_error():
            raise LlmError(f"the grammar engine failed: {self._matcher.get_error()}")


class Guides:
    """Makes guides for one tokenizer; the engine's view of it is made at the first one."""

    def __init__(self, description: Callable[[], str], vocabulary: int, stop_id: int) -> None:
        """`description` gives the content of a `tokenizer.json`; `vocabulary` counts the model's logits."""
        self._description = description
        self._vocabulary = vocabulary
        self._stop_id = stop_id
        self._matcher = lru_cache(_GRAMMARS_KEPT)(self._compiled)

    def guide(self, schema: dict[str, Any]) -> Guide:
        """A guide at the beginning of a text that has to satisfy `schema`.

        Raises:
            LlmError: the engine is not installed, or cannot hold a text to this schema.
        """
        matcher = self._matcher(orjson.dumps(schema).decode()).deep_copy()
        return Guide(matcher, self._vocabulary, self._stop_id)

    @cached_property
    def _tokenizer(self) -> LLTokenizer:
        if not is_installed():
            raise LlmError("a model in this process is held to a JSON Schema by llguidance, which is missing", INSTALL)
        from llguidance import LLTokenizer

        return LLTokenizer(self._description(), n_vocab=self._vocabulary, eos_token=self._stop_id)

    def _compiled(self, schema: str) -> LLMatcher:
        tokenizer = self._tokenizer
        from llguidance import LLMatcher

        grammar = LLMatcher.grammar_from_json_schema(schema, defaults=_one_line())
        problem = LLMatcher.validate_grammar(grammar, tokenizer)
        if problem:
            shown = " ".join(problem.split())[:300]
            raise LlmError(f"no text can be held to the schema {schema[:200]}: {shown}", "agent.guided=false")
        return LLMatcher(tokenizer, grammar)


def _one_line() -> JsonCompileOptions:
    return {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


def is_installed() -> bool:
    """Whether the engine is there."""
    return importlib.util.find_spec("llguidance") is not None
