"""What the tokenizer's own chat template makes of an episode: the stock way, to stand beside ours in an audit.

The messages are those that our rows hold for stock trainers; the tokens are transformers' `apply_chat_template` with
the tools. A chat template is other people's code: whatever it raises is one line here, and never ends an audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from agentbench.config.prefs import Arguments
from agentbench.llm.quoting import mapped, whole
from agentbench.templates.calls import declaration
from agentbench.training_data.rows import Message
from agentbench.training_data.transcript import Transcriber
from agentbench.types import History

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Refused(Exception):
    """The chat template or its tokenizer cannot do what was asked; the message is one line."""


class Conversation(NamedTuple):
    """An episode as messages, with the declarations of its tools."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...]
    opening: int
    """Number of messages before the first step."""


def conversation(history: History, system: str, arguments: Arguments) -> Conversation:
    """An episode's messages up to the last thing said, texts as they are: what keeps them text here is looked at."""
    written = Transcriber(None, system, arguments).transcript(history)
    said = [message for move in written.moves for message in (*move.messages, *move.seen_messages)]
    while said and said[-1]["role"] != "assistant":
        said.pop()
    opening = written.opening_messages
    messages = tuple(mapped(message, whole) for message in (*opening, *said))
    return Conversation(messages, tuple(declaration(tool) for tool in history.tools), len(opening))


class StockTemplate:
    """The chat template of a tokenizer's folder, or of a model on the hub; no weights are loaded."""

    def __init__(self, place: str, thinking: bool) -> None:
        """Loads the tokenizer by transformers, which takes seconds.

        Raises:
            Refused: transformers cannot load it, or it has no chat template.
        """
        from transformers import AutoTokenizer
        from transformers.utils import logging

        logging.set_verbosity_error()
        try:
            self._tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise Refused(f"transformers cannot load this tokenizer: {_line(error)}") from error
        self._thinking = thinking
        if not self._tokenizer.chat_template:
            raise Refused("this tokenizer has no chat template")

    def ids(self, messages: tuple[Message, ...], talk: Conversation, *, prompting: bool = False) -> tuple[int, ...]:
        """The tokens of some messages of a conversation, up to the next assistant's header if `prompting`.

        Raises:
            Refused: the chat template raises.
        """
        return tuple(self._applied(messages, talk, add_generation_prompt=prompting)["input_ids"])

    def assistant_mask(self, talk: Conversation) -> tuple[int, ...]:
        """Transformers' mask of assistant tokens of a whole conversation; all 0 without generation markers.

        Raises:
            Refused: the chat template raises.
        """
        return tuple(self._applied(talk.messages, talk, return_assistant_tokens_mask=True)["assistant_masks"])

    def _applied(self, messages: tuple[Message, ...], talk: Conversation, **how: bool) -> Mapping[str, list[int]]:
        from jinja2.exceptions import TemplateError

        apply: Any = self._tokenizer.apply_chat_template
        try:
            return apply(
                list(messages),
                tools=list(talk.tools) or None,
                enable_thinking=self._thinking,
                return_dict=True,
                **how,
            )
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
            raise Refused(f"its chat template refuses an episode: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
