"""A world's endpoints as an HTTP API of their own, with the OpenAPI document that describes it.

Agents that speak HTTP can so run on a world, and a world can be called the way a remote API is. Lists are given whole:
what is shown of them is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import orjson
from aiohttp import web
from jsonschema import Draft202012Validator

from agentbench.errors import ToolError
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.spec import Endpoint
from agentbench.tools.sql.values import shown

PREFIX = "/v1/"
DOCUMENT_PATH = "/openapi.json"
_Handler = Callable[[web.Request], Awaitable[web.Response]]


def openapi_of(endpoints: Iterable[Endpoint], title: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the endpoints: one GET operation each, its parameters in the query.

    A parameter that may be text is sent as text, whatever else it may be.
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "paths": {f"{PREFIX}{endpoint.name}": {"get": _operation(endpoint)} for endpoint in endpoints},
    }


def served(endpoints: Iterable[Endpoint], database: Database, title: str) -> web.Application:
    """An application that answers the endpoints from the database, and `/openapi.json`; its runner chooses the address.

    Values are bound and the database is read-only, but there is no access control: listen on 127.0.0.1. What a tool
    would refuse is HTTP 422 with `{"error": …}`.
    """
    endpoints = tuple(endpoints)
    document = orjson.dumps(openapi_of(endpoints, title))

    async def describe(_request: web.Request) -> web.Response:
        return _json(document)

    application = web.Application()
    application.router.add_get(DOCUMENT_PATH, describe)
    for endpoint in endpoints:
        application.router.add_get(f"{PREFIX}{endpoint.name}", _handler(endpoint, database))
    return application


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "operationId": endpoint.name,
        "description": endpoint.description,
        "parameters": [
            {"name": name, "in": "query", "required": True, "schema": schema}
            for name, schema in endpoint.parameters.items()
        ],
        "responses": {"200": {"description": "The values.", "content": {"application/json": {}}}},
    }


def _handler(endpoint: Endpoint, database: Database) -> _Handler:
    validator = Draft202012Validator(
        {
            "properties": endpoint.parameters,
            "required": list(endpoint.parameters),
            "additionalProperties": False,
        }
    )

    async def answer(request: web.Request) -> web.Response:
        try:
            arguments = _arguments(endpoint.parameters, request.query)
            problem = next((error.message for error in validator.iter_errors(arguments)), None)
            if problem is not None:
                raise ToolError(problem[:300])
            rows = await database.query(endpoint.sql, arguments)
        except ToolError as error:
            return _json(orjson.dumps({"error": str(error)}), 422)
        return _json(orjson.dumps({endpoint.key: [shown(row[0]) for row in rows]}))

    return answer


def _arguments(parameters: Mapping[str, Mapping[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """What the query says, in the types its parameters have; what does not fit stays text and is refused later."""
    return {name: _value(text, parameters.get(name, {}).get("type", "string")) for name, text in query.items()}


def _value(text: str, types: str | list[str]) -> Any:
    if "string" in types:
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")
