"""A user's schema as a domain: which columns name, group and measure, and which questions that allows.

    name      a text column with hardly any repeats (best one called name or title), or else a key of one column
    category  fewer than 30 different values, each in two rows or more on average
    group     a text, or a year, that repeats
    number    other numbers that are no identifiers

A table that other tables name by an id is spoken of by its name: `orders whose customer is Jack Lee`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from agentbench.worlds.domain import Domain, Field, Kind, Link, QuerySpec, Role, Table
from agentbench.worlds.names import free, noun, plural, singular, slug
from agentbench.worlds.own_schema import ForeignKey, RawColumn, RawTable
from agentbench.worlds.views import View, ViewField, endpoint_name, views

MOST_ENDPOINTS = 60
CATEGORIES = 30
MOST_NAME_CHARACTERS = 60
"""Longest shared value that questions say."""
MOST_KEY_CHARACTERS = 150
"""Longest name of a row; questions that get too long by it are dropped one by one."""
MOST_LABEL_CHARACTERS = 100
"""Longest value that questions ask for."""
MISSING = ("nickname", "favourite colour", "insurance number", "carbon footprint", "mascot", "shoe size")
_BEST_NAMES = ("name", "title", "full_name", "label")


class OwnTables(NamedTuple):
    """A domain and its rows by the domain's names."""

    domain: Domain
    rows: dict[str, list[dict[str, Any]]]


def own_tables(name: str, title: str, raw: Sequence[RawTable]) -> OwnTables:
    """The domain of a user's tables."""
    names = _Names.of(raw)
    tables = tuple(_table(item, names) for item in raw)
    rows = {names.tables[item.name]: _rows(item, names.columns[item.name]) for item in raw}
    domain = Domain(name, title, title, f"Documents about {title}.", f"{title}: the user's own data", tables, (), ())
    return OwnTables(dataclasses.replace(domain, queries=tuple(_proposals(domain))), rows)


class _Names(NamedTuple):
    """What tables, and columns by table, are called in the domain."""

    tables: dict[str, str]
    columns: dict[str, dict[str, str]]

    @classmethod
    def of(cls, raw: Sequence[RawTable]) -> _Names:
        names = cls({}, {})
        for table in raw:
            names.tables[table.name] = free(slug(table.name, "table"), names.tables.values())
            columns = names.columns.setdefault(table.name, {})
            for column in table.columns:
                # A getter for a column called data would be called get_data, as the tool that opens tables.
                columns[column.name] = free(slug(column.name), {"data", *columns.values()})
        return names


def _table(raw: RawTable, names: _Names) -> Table:
    name, called = names.tables[raw.name], names.columns[raw.name]
    one, key = singular(name), _key(raw)
    linked = {item.column for item in raw.foreign_keys}
    return Table(
        name=name,
        singular=noun(one),
        plural=noun(name) if one != name else plural(noun(name)),
        key=called[key] if key else "",
        fields=tuple(
            _field(name, column, called[column.name], _role(raw, column, key, linked)) for column in raw.columns
        ),
        links=tuple(
            Link(
                called[item.column],
                names.tables[item.parent],
                names.columns[item.parent][item.parent_column],
                _label(item, names.tables[item.parent]),
            )
            for item in raw.foreign_keys
        ),
        missing=MISSING,
        source=raw.name,
    )


def _label(link: ForeignKey, parent: str) -> str:
    """`home_team_id` → `home_team`; a key called as in the parent table says nothing and gives the parent's name."""
    name = slug(link.column)
    if name == slug(link.parent_column):
        return singular(parent)
    return re.sub(r"_?(id|key|fk|code)$", "", name) or singular(parent)


def _key(raw: RawTable) -> str:
    """The column that names rows; empty where none does."""
    names = [column for column in raw.columns if _names(raw, column)]
    if names:
        return min(names, key=lambda column: _name_rank(raw, column)).name
    keys = [column for column in raw.columns if _identifies(raw, column)]
    return keys[0].name if keys else ""


def _names(raw: RawTable, column: RawColumn) -> bool:
    """Whether a text column names rows; a few may have no name, or one that others have too."""
    rows = len(raw.rows)
    if column.type != "TEXT" or column.filled < 0.95 * rows or column.distinct < 0.9 * rows:
        return False
    if column.longest > MOST_KEY_CHARACTERS or not column.one_line:
        return False
    values = [row[column.name] for row in raw.rows if row[column.name] is not None]
    if any(value != value.strip() or not value for value in values):
        return False
    return 2 * sum(any(char.isalpha() for char in value) for value in values) > len(values)


def _identifies(raw: RawTable, column: RawColumn) -> bool:
    if column.type == "REAL" or column.distinct < len(raw.rows) or column.longest > MOST_NAME_CHARACTERS:
        return False
    return raw.primary_key == (column.name,) or slug(column.name).endswith("id")


def _name_rank(raw: RawTable, column: RawColumn) -> tuple[int, bool, int]:
    name = slug(column.name)
    if name in _BEST_NAMES:
        quality = 0
    elif name.endswith(_BEST_NAMES):
        quality = 1
    else:
        quality = 2 if raw.primary_key == (column.name,) else 3
    return (quality, column.distinct < len(raw.rows), column.longest)


def _field(table: str, column: RawColumn, name: str, role: Role) -> Field:
    said = noun(name)
    values = {Role.NAME: table, Role.GROUP: name if column.type == "TEXT" else ""}.get(role, "")
    return Field(
        name=name,
        noun=said,
        role=role,
        type=column.type,
        description=f"{said.capitalize()} of the {noun(singular(table))}",
        values=values,
        by=f"whose {said} is {{}}",
        over=f"whose {said} is above {{}}",
        source=column.name,
    )


def _role(raw: RawTable, column: RawColumn, key: str, linked: Collection[str]) -> Role:
    if column.name == key:
        return Role.NAME
    if column.name in linked or column.name in raw.primary_key or _identifies(raw, column):
        return Role.PLAIN
    if column.longest > MOST_LABEL_CHARACTERS or column.distinct < 2 or not column.one_line:
        return Role.PLAIN
    return _text_role(column) if column.type == "TEXT" else _number_role(raw, column)


def _text_role(column: RawColumn) -> Role:
    repeats = column.filled / column.distinct
    if column.longest > MOST_NAME_CHARACTERS or repeats < 1.3:
        return Role.LABEL
    return Role.CATEGORY if column.distinct < CATEGORIES and repeats >= 2 else Role.GROUP


def _number_role(raw: RawTable, column: RawColumn) -> Role:
    if re.search(r"(^|_)(id|code|zip|phone|number|no|nr)$", slug(column.name)):
        return Role.LABEL
    repeats = column.filled / column.distinct
    if column.type == "INTEGER" and column.distinct <= 12 and repeats >= 3:
        return Role.CATEGORY
    if column.type == "INTEGER" and _are_years(raw, column):
        return Role.GROUP if repeats >= 1.3 else Role.LABEL
    return Role.NUMBER


def _are_years(raw: RawTable, column: RawColumn) -> bool:
    return all(1500 <= row[column.name] <= 2100 for row in raw.rows if row[column.name] is not None)


def _rows(raw: RawTable, called: dict[str, str]) -> list[dict[str, Any]]:
    return [{called[column]: value for column, value in row.items()} for row in raw.rows]


def _proposals(domain: Domain) -> Iterator[QuerySpec]:
    """Query shapes up to the limit, table by table in turn: three of a table whose rows have names, one of others."""
    all_views = views(domain)
    waiting = [(_table_proposals(table, all_views), _PER_ROUND[_is_named(table)]) for table in domain.tables]
    names: set[str] = set()
    while waiting:
        for proposals, most in list(waiting):
            specs = list(islice(proposals, most))
            if not specs:
                waiting.remove((proposals, most))
            for spec in specs:
                name = endpoint_name(spec, _view(spec, all_views))
                if name not in names and len(name) <= 64 and len(names) < MOST_ENDPOINTS:
                    names.add(name)
                    yield spec


_PER_ROUND = {True: 3, False: 1}


def _is_named(table: Table) -> bool:
    return bool(table.key) and table.field(table.key).type == "TEXT"


def _view(spec: QuerySpec, all_views: dict[str, View]) -> View:
    names = {*spec.by, spec.target, spec.over} - {""}
    return next(view for view in all_views.values() if view.table.name == spec.table and names <= view.fields.keys())


def _table_proposals(table: Table, all_views: dict[str, View]) -> Iterator[QuerySpec]:
    columns = _columns(table, all_views)
    numbers = [item.name for item in columns if item.field.role is Role.NUMBER and not item.parent]
    shared = [item.name for item in columns if _is_shared(item)]
    if table.key:
        asked = [item.name for item in columns if _is_asked(item)]
        first = [QuerySpec(Kind.LOOKUP, table.name, (table.key,), name) for name in asked[:8]]
        yield from first[:3]
        grouped = [item.name for item in columns if _is_shared(item) and item.field.role is not Role.CATEGORY]
        yield from (QuerySpec(Kind.LIST, table.name, (name,)) for name in grouped[:4])
        yield from first[3:]
    yield from (QuerySpec(Kind.COUNT, table.name, (name,)) for name in shared[:4])
    pairs = [(by, number) for number in numbers[:3] for by in shared[:3]]
    if table.key:
        yield from (QuerySpec(Kind.TOP, table.name, (by,), number) for by, number in pairs[:4])
        yield from (QuerySpec(Kind.BOTTOM, table.name, (by,), number) for by, number in pairs[:2])
    yield from (QuerySpec(Kind.SUM, table.name, (by,), number) for by, number in pairs[:2])
    yield from (QuerySpec(Kind.MAX, table.name, (by,), number) for by, number in pairs[:2])
    yield from (QuerySpec(Kind.MEAN, table.name, (by,), number) for by, number in pairs[:2])
    yield from (QuerySpec(Kind.COUNT, table.name, (by,), over=number) for by, number in pairs[:2])


def _columns(table: Table, all_views: dict[str, View]) -> list[ViewField]:
    """The table's own columns, and the names and shared columns of those it links to."""
    found: dict[str, ViewField] = {}
    for view in all_views.values():
        if view.table.name == table.name:
            found.update((name, item) for name, item in view.fields.items() if not item.parent or _is_shared(item))
    return sorted(found.values(), key=lambda item: not (item.parent and item.field.role is Role.NAME))


def _is_shared(item: ViewField) -> bool:
    named_parent = bool(item.parent) and item.field.role is Role.NAME
    return named_parent or item.field.role in (Role.GROUP, Role.CATEGORY)


def _is_asked(item: ViewField) -> bool:
    if item.parent:
        return item.field.role is Role.NAME
    return item.field.role not in (Role.NAME, Role.PLAIN)
