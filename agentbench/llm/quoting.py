"""Other people's text inside a prompt, so that it stays text.

Whatever an agent, a tool or a user wrote goes into a named block as JSON. A block cannot be left from inside: in its
JSON the sign `<` is written `\\u003c`, and what looks like `[INST]` begins with `\\u005b`. That keeps the prompt's
layout safe; whether a model obeys what it reads there is up to the model.

A server that is sent messages makes the tokens itself, and most read control tokens out of any text: who can write
`<|im_end|>` into a document could end a message there. So texts in messages have such words broken by a backslash
behind their first sign (`broken`), which `whole` takes away again. What is known are the control tokens of common
families; a server whose vocabulary has others reads those.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

_WORDS = (
    "s|unk|pad|bos|eos|mask|sep|cls|think|tool_call|tool_calls|tool_response|tool_code|tool_output|tools|"
    r"start_of_turn|end_of_turn|start_of_image|end_of_image|function_calls|fim_\w+|SPECIAL_\d+|extra_id_\d+|unused\d+"
)
_BRACKETED = (
    "INST|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|SYSTEM_PROMPT|ARGS|CALL_ID|THINK|IMG|IMG_END|"
    r"IMG_BREAK|PREFIX|MIDDLE|SUFFIX|AUDIO|BEGIN_AUDIO|control_\d+|gMASK|MASK|CLS|SEP"
)
_PLACES = (
    r"(?<=<){}(?=\|[^|<>\s]{{1,60}}\|>)",
    r"(?<=<){}(?=｜[^｜<>\s]{{1,60}}｜>)",
    rf"(?<=<){{}}(?=/?(?:{_WORDS})>)",
    r"(?<=<<){}(?=/?SYS>>)",
    rf"(?<=\[){{}}(?=/?(?:{_BRACKETED})\])",
)
_WHOLE = re.compile("|".join(place.format(r"\\*") for place in _PLACES))
_BROKEN = re.compile("|".join(place.format(r"\\+") for place in _PLACES))
_BRACKETS = re.compile(rf"\[(?=/?(?:{_BRACKETED})\])")


def block(name: str, *values: Any) -> str:
    """The values between `<name>` and `</name>`, one line of JSON each; half a surrogate pair becomes `?`."""
    text = "\n".join((f"<{name}>", *map(quoted, values), f"</{name}>"))
    return text.encode("utf-8", "replace").decode("utf-8")


def quoted(value: Any) -> str:
    """A value as JSON without any sign that begins a control token or a block."""
    return _BRACKETS.sub("\\\\u005b", json.dumps(value, ensure_ascii=False).replace("<", "\\u003c"))


def broken(text: str) -> str:
    """The text with no whole control token of a known family in it; `whole` gives it back."""
    return _WHOLE.sub(lambda found: "\\" + found[0], text)


def whole(text: str) -> str:
    """The text that `broken` made this one from; any other text without broken control tokens as it is."""
    return _BROKEN.sub(lambda found: found[0][1:], text)


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with all its texts changed, keys included."""
    match value:
        case str():
            return change(value)
        case dict():
            return {change(key): mapped(item, change) for key, item in value.items()}
        case list() | tuple():
            return [mapped(item, change) for item in value]
    return value
