"""One tool per operation of an HTTP API.

The answer's JSON is passed on as an object. Lists of more than `shown_values` entries are cut wherever they stand, and
`num_values` beside them says how many there were, as with the REST tools in process: `{"director": […], "num_values":
45}`; where more than one list was cut, or one deeper down, it names each: `{"num_values": {"films.0.cast": 45}}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import orjson

from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.tools.http.spec import HttpApi, HttpEndpoint, Place
from agentbench.types import Observation, ToolSpec

if TYPE_CHECKING:
    from agentbench.tools.http.client import HttpClient

MAX_DEPTH = 100
"""Most levels of lists and objects within an answer."""
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_AS_WRITTEN = "/%:@!$&'()*+,;=~"
"""Characters of an API's own paths that stay as they are."""


def http_tools(api: HttpApi, client: HttpClient, shown_values: int) -> tuple[Tool, ...]:
    """One tool per endpoint. They keep nothing between calls, so episodes may share them, and the client."""
    return tuple(HttpTool(endpoint, client, shown_values) for endpoint in api.endpoints)


class HttpTool:
    """One operation, called over HTTP."""

    __slots__ = ("_client", "_endpoint", "_shown_values", "spec")

    def __init__(self, endpoint: HttpEndpoint, client: HttpClient, shown_values: int) -> None:
        self.spec = ToolSpec(endpoint.name, endpoint.description, endpoint.parameters)
        self._endpoint = endpoint
        self._client = client
        self._shown_values = shown_values

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """The operation's answer for the arguments.

        Raises:
            ToolError: an argument cannot be sent, or the server is slow, fails, refuses or answers with no usable JSON.
            ToolServerError: no connection to the server can be made.
        """
        endpoint = self._endpoint
        try:
            path, query = _path(endpoint, arguments), urlencode(list(_query(endpoint, arguments)), quote_via=quote)
            body = _body(endpoint, arguments)
        except (UnicodeEncodeError, TypeError) as error:
            raise ToolError(f"an argument holds something that cannot be sent: {str(error)[:200]}") from error
        answer = await self._client.request(endpoint.method, path, query, body)
        return Observation(orjson.dumps(_limited(answer, self._shown_values)).decode())


def _given(endpoint: HttpEndpoint, arguments: dict[str, Any], place: Place) -> Iterator[tuple[str, Any]]:
    for name, slot in endpoint.slots.items():
        if slot.place is place and name in arguments:
            yield slot.name, arguments[name]


def _path(endpoint: HttpEndpoint, arguments: dict[str, Any]) -> str:
    texts = {name: _text(value) for name, value in _given(endpoint, arguments, Place.PATH)}
    missing = set(_PLACEHOLDER.findall(endpoint.path)) - {name for name, text in texts.items() if text}
    if missing:
        raise ToolError(f"{min(missing)!r} is part of the address and must not be empty")
    pieces = _PLACEHOLDER.split(endpoint.path)
    # Odd pieces are names of parameters; what stands between them was written by the API's author.
    return "".join(
        quote(texts[piece], safe="") if i % 2 else quote(piece, _AS_WRITTEN) for i, piece in enumerate(pieces)
    )


def _query(endpoint: HttpEndpoint, arguments: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in _given(endpoint, arguments, Place.QUERY):
        if isinstance(value, list):
            yield from ((name, _text(item)) for item in value)
        elif value is not None:
            yield name, _text(value)


def _body(endpoint: HttpEndpoint, arguments: dict[str, Any]) -> bytes | None:
    return next((orjson.dumps(value) for _, value in _given(endpoint, arguments, Place.BODY)), None)


def _text(value: Any) -> str:
    """A value as a URL writes it: texts as they are, all else as JSON does."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _limited(answer: Any, shown_values: int) -> dict[str, Any]:
    """An answer as an object whose lists are short."""
    whole = answer if isinstance(answer, dict) else {"values" if isinstance(answer, list) else "value": answer}
    shortener = _Shortener(shown_values)
    limited = {key: shortener.short(value, str(key), MAX_DEPTH) for key, value in whole.items()}
    if not shortener.cut:
        return limited
    (path, count), *others = shortener.cut.items()
    return {**limited, "num_values": count if path in whole and not others else shortener.cut}


class _Shortener:
    """Cuts lists and remembers, by path, how long those that were cut are."""

    def __init__(self, shown_values: int) -> None:
        self._shown_values = shown_values
        self.cut: dict[str, int] = {}

    def short(self, value: Any, path: str, depth: int) -> Any:
        """The value with short lists; it may go `depth` levels down."""
        if depth == 0:
            raise ToolError(f"the answer is nested more than {MAX_DEPTH} levels deep")
        match value:
            case list():
                if len(value) > self._shown_values:
                    self.cut[path] = len(value)
                kept = value[: self._shown_values]
                return [self.short(item, f"{path}.{i}", depth - 1) for i, item in enumerate(kept)]
            case dict():
                return {key: self.short(item, f"{path}.{key}", depth - 1) for key, item in value.items()}
            case _:
                return value
