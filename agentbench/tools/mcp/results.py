"""What an agent gets to read of an MCP result: text and structured content; the rest is only named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from mcp.types import CallToolResult, ContentBlock

LONGEST_RESULT = 100_000
"""Most characters of a result that are passed on."""
LONGEST_ERROR = 800
"""Most characters of an error that are passed on."""


def result_text(result: CallToolResult) -> str:
    """The text blocks, a line between them, then the structured content as JSON unless a text block says the same.

    Images, sound, binary resources and links are named in brackets. Past `LONGEST_RESULT` characters the text is cut
    and says so.
    """
    parts = [_block_text(block) for block in result.content]
    structured = result.structured_content
    if structured is not None and not any(_says(part, structured) for part in parts):
        parts.append(orjson.dumps(structured).decode())
    text = "\n".join(parts)
    left_out = len(text) - LONGEST_RESULT
    return text if left_out <= 0 else f"{text[:LONGEST_RESULT]} … ({left_out} characters left out)"


def one_line(text: str, longest: int = LONGEST_ERROR) -> str:
    """A text on one line, cut to `longest` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[:longest]} …"


def without(text: str, secrets: Sequence[str]) -> str:
    """A text in which secrets of at least 8 characters are blotted out; a shorter one might be any word."""
    for secret in _long(secrets):
        text = text.replace(secret, "***")
    return text


def _long(secrets: Iterable[str]) -> Iterable[str]:
    return (secret for secret in secrets if len(secret) >= 8)


def _block_text(block: ContentBlock) -> str:
    from mcp.types import EmbeddedResource, ResourceLink, TextContent, TextResourceContents

    match block:
        case TextContent(text=text) | EmbeddedResource(resource=TextResourceContents(text=text)):
            return text
        case EmbeddedResource(resource=resource):
            return f"[resource {resource.uri}, not shown]"
        case ResourceLink(uri=uri):
            return f"[link to resource {uri}, not shown]"
        case _:
            return f"[{block.type} {block.mime_type}, not shown]"


def _says(text: str, structured: Any) -> bool:
    """Whether a text is the structured content, or the only value in a wrapper named `result`."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = text
    return structured in (value, {"result": value}, {"result": text})
