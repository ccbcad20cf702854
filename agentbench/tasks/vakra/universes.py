"""Tool universes as VAKRA writes them: which tables a question's data is joined from, and by what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentbench.config.env import Granularity
from agentbench.errors import DataError
from agentbench.types import record

INITIALISE = "initialize_active_data"
"""Name of the gold call whose arguments are a universe."""


@record
class Table:
    """One table of a universe; columns are called `<prefix>_<column>`, or as in the table where the alias is empty."""

    alias: str
    name: str
    prefix: str


@record
class Join:
    """Two columns that have to be equal, as alias and column, and the kind of join: INNER, LEFT, RIGHT or OUTER."""

    left: tuple[str, str]
    right: tuple[str, str]
    kind: str


@record
class UniverseArguments:
    """What a tool universe is made from."""

    id: str
    file: str
    domain: str
    """Empty where the entry does not say."""
    granularity: Granularity
    tables: tuple[Table, ...]
    joins: tuple[Join, ...]


def is_universe_map(value: Any) -> bool:
    """Whether a value maps ids to tool universes."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(e, dict) and "init_args" in e for e in value.values())
    )


def read_universe(identifier: str, entry: Mapping[str, Any], file: str) -> UniverseArguments:
    """The universe of one entry `{domain, server_type, init_args}`; `database_path` is not looked at.

    Raises:
        DataError: tables or joins have another form than VAKRA's; file, id and what is wrong are named.
    """
    given = entry.get("init_args")
    if not isinstance(given, Mapping):
        raise _wrong(file, identifier, f"init_args is {given!r}, not an object")
    tables = tuple(_tables(given.get("alias_to_table_dict"), identifier, file))
    if not tables:
        raise _wrong(file, identifier, "alias_to_table_dict names no table")
    joins = tuple(_joins(given.get("condition_sequence") or [], tables, identifier, file))
    kind = str(entry.get("server_type") or Granularity.SLOT_FILLING)
    if kind not in (Granularity.SLOT_FILLING, Granularity.SELECTION):
        raise _wrong(file, identifier, f"server_type is {kind!r}, neither slot_filling nor selection")
    return UniverseArguments(identifier, file, str(entry.get("domain") or ""), Granularity(kind), tables, joins)


def _tables(given: Any, identifier: str, file: str) -> Iterator[Table]:
    for alias, table in given.items() if isinstance(given, Mapping) else ():
        match table:
            case {"original_table_name": str(name)} if name:
                yield Table(str(alias), name, str(table.get("modified_table_name") or name))
            case _:
                raise _wrong(file, identifier, f"the alias {alias!r} stands for {table!r}, which names no table")


def _joins(given: Any, tables: tuple[Table, ...], identifier: str, file: str) -> Iterator[Join]:
    aliases = {table.alias for table in tables}
    for condition in given if isinstance(given, list) else [given]:
        match condition:
            case [str(left), str(right), *kind] if "." in left and "." in right and len(kind) < 2:
                sides = tuple(left.split(".", 1)), tuple(right.split(".", 1))
            case _:
                raise _wrong(file, identifier, f"the join {condition!r} is not of the form [T1.a, T2.b, INNER]")
        unknown = [alias for alias, _ in sides if alias not in aliases]
        if unknown:
            raise _wrong(
                file, identifier, f"the join {condition!r} names the alias {unknown[0]!r}, which is no table's"
            )
        (one, first), (other, second) = sides
        yield Join((one, first), (other, second), _kind(kind, condition, identifier, file))


def _kind(given: list[Any], condition: Any, identifier: str, file: str) -> str:
    words = str(given[0] if given else "INNER").upper().split()
    kind = words[0] if words else "INNER"
    kind = {"FULL": "OUTER", "JOIN": "INNER"}.get(kind, kind)
    if kind not in ("INNER", "LEFT", "RIGHT", "OUTER"):
        raise _wrong(file, identifier, f"the join {condition!r} is of an unknown kind")
    return kind


def _wrong(file: str, identifier: str, problem: str) -> DataError:
    return DataError(file, f"tool universe {identifier!r}: {problem}")
