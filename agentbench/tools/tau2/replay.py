"""Worlds as tasks begin them and as their reference actions leave them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agentbench.errors import DataError, ToolError
from agentbench.tasks.tau2 import InitialState, Published
from agentbench.tools.tau2.domains import Databases
from agentbench.tools.tau2.records import Records
from agentbench.tools.tau2.world import Domain, World


class Replayed(NamedTuple):
    """What became of reference actions."""

    world: World
    refused: tuple[int, ...]
    """Numbers of those that could not be carried out, counted from 0. The benchmark leaves them out, and so do we."""


def begun(domain: Domain, databases: Databases, published: Published, *, parity: bool) -> World:
    """The world in which a task begins.

    Raises:
        DataError: the task begins with something that the domain does not know or refuses.
    """
    world = databases.world(parity=parity)
    state = published.initial_state or InitialState()
    if state.initialization_data is not None:
        _lay_over(world.company, state.initialization_data.agent_data)
        _lay_over(world.user, state.initialization_data.user_data)
    domain.settle(world)
    earlier = (call for message in state.message_history or () for call in message.tool_calls or ())
    actions = state.initialization_actions or ()
    calls = [
        *((each.func_name, each.arguments) for each in actions),
        *((each.name, each.arguments) for each in earlier),
    ]
    for name, arguments in calls:
        try:
            domain.call(world, name, arguments)
        except (ToolError, TypeError) as error:
            raise DataError(f"task {published.id}", f"it cannot begin with {name}: {error}") from error
    return world


def replayed(domain: Domain, databases: Databases, published: Published, *, parity: bool) -> Replayed:
    """The world after the reference actions.

    Raises:
        DataError: as `begun` does.
    """
    world = begun(domain, databases, published, parity=parity)
    refused: list[int] = []
    for number, act in enumerate(published.acts):
        try:
            domain.call(world, act.name, act.arguments)
        except (ToolError, TypeError):  # the arguments of a reference action need not fit its tool
            refused.append(number)
    return Replayed(world, tuple(refused))


def _lay_over(records: Records, tables: Mapping[str, Mapping[str, Any]] | None) -> None:
    for table, given in (tables or {}).items():
        for key, record in given.items():
            found = records.find(table, key)
            records.put(table, key, _merged(found, record) if found is not None else dict(record))


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    both = {**old, **new}
    nested = {key for key in new if isinstance(new[key], dict) and isinstance(old.get(key), dict)}
    return {key: _merged(old[key], new[key]) if key in nested else value for key, value in both.items()}
