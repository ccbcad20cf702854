"""What is known of an HTTP API before it is called: its operations, each of which becomes one tool.

All is data (JSON in a world's folder), written by `worlds` and read by the modules beside this file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from agentbench.types import record


class Method(StrEnum):
    """How a request is sent."""

    GET = "GET"
    POST = "POST"


class Place(StrEnum):
    """Where in a request an argument goes."""

    PATH = "path"
    QUERY = "query"
    BODY = "body"


@record
class Slot:
    """Where one argument goes, and what it is called there."""

    place: Place
    name: str
    """The parameter's own name; of no meaning in a body, which one argument fills as a whole."""


@record
class HttpEndpoint:
    """One operation of an API."""

    name: str
    """The tool's name: at most 64 letters, digits, `_` and `-`."""
    description: str
    method: Method
    path: str
    """Below the base URL, with path parameters in braces: `/v1/films/{title}`."""
    parameters: dict[str, Any]
    """JSON Schema (draft 2020-12) of the arguments: a closed object schema that stands for itself, without `$ref`."""
    slots: dict[str, Slot]
    """By argument; exactly the properties of `parameters`."""


@record
class HttpApi:
    """Operations and the address they stand below."""

    base_url: str
    """`http://127.0.0.1:8000` or `https://host/prefix`; without user, query or fragment."""
    endpoints: tuple[HttpEndpoint, ...]
