"""What the tools of one episode act on, and the tools themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from agentbench.errors import ToolError
from agentbench.tools.tau2.records import Record, Records
from agentbench.types import Observation, ToolKind, ToolSpec

Parameters = Mapping[str, dict[str, Any]]
"""JSON Schemas by name of argument; those with a default may be left out."""
TEXT: dict[str, Any] = {"type": "string"}
TEXTS: dict[str, Any] = {"type": "array", "items": TEXT}


class World(NamedTuple):
    """The company's records, and what the user has at hand: in telecom a phone."""

    company: Records
    user: Records
    parity: bool = False
    """Whether tools repeat the published ones' faults."""

    def fork(self) -> World:
        """A copy of its own."""
        return self._replace(company=self.company.fork(), user=self.user.fork())


class Offered(NamedTuple):
    """One tool of a domain, not bound to any world."""

    spec: ToolSpec
    run: Callable[..., Any]
    """Takes the world and the arguments by name; raises ToolError where the call cannot be carried out."""


class Domain(NamedTuple):
    """All that is known of a domain but its records."""

    tools: tuple[Offered, ...]
    """The agent's."""
    user_tools: tuple[Offered, ...] = ()
    """The user's own."""
    setup: Mapping[str, Callable[..., Any]] = {}
    """What a task's beginning is made with beside the tools, by name; takes the world and the arguments."""
    checks: Mapping[str, Callable[..., bool]] = {}
    """What a task's end is looked at with, by name."""
    settle: Callable[[World], None] = lambda _world: None
    """What the user's surroundings take over from the company's records after every call."""

    def call(self, world: World, name: str, arguments: Mapping[str, Any]) -> Any:
        """What a tool, the user's or the agent's, or a setup function gives; everything is settled afterwards.

        Raises:
            ToolError: there is no such function, or it refuses.
        """
        runs = {tool.spec.name: tool.run for tool in (*self.tools, *self.user_tools)}
        run = runs.get(name) or self.setup.get(name)
        if run is None:
            raise ToolError(f"there is no tool {name!r}")
        try:
            return run(world, **arguments)
        finally:
            self.settle(world)


class DomainTool:
    """A domain's tool in one world; results are JSON."""

    def __init__(self, offered: Offered, domain: Domain, world: World) -> None:
        self._offered = offered
        self._domain = domain
        self._world = world

    @property
    def spec(self) -> ToolSpec:
        """What the caller is told."""
        return self._offered.spec

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """The result as JSON.

        Raises:
            ToolError: the records or the domain's rules do not allow it; nothing has changed.
        """
        result = self._domain.call(self._world, self.spec.name, arguments)
        return Observation(orjson.dumps(result).decode())


def offered(run: Callable[..., Any], description: str, parameters: Parameters | None = None) -> Offered:
    """A tool named as the function that does its work."""
    properties = dict(parameters or {})
    schema = {
        "type": "object",
        "properties": properties,
        "required": [name for name, each in properties.items() if "default" not in each],
        "additionalProperties": False,
    }
    return Offered(ToolSpec(run.__name__, description, schema, ToolKind.API), run)


def text(description: str, options: Sequence[str] = ()) -> dict[str, Any]:
    """The schema of a text, or of one of several words."""
    return {**TEXT, **({"enum": list(options)} if options else {}), "description": description}


def texts(description: str) -> dict[str, Any]:
    """The schema of a list of texts."""
    return {**TEXTS, "description": description}


def existing(records: Records, table: str, key: str) -> Record:
    """A record for reading.

    Raises:
        ToolError: there is none.
    """
    found = records.find(table, key)
    if found is None:
        raise ToolError(f"{table}: there is no {key!r}")
    return found
