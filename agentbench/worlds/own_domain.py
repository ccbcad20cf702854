"""A user's schema as a domain: which columns name, group and measure, and which questions that allows.

    name      a text column without repeats (best one called name or title), or else a primary key of one column
    category  fewer than 30 different values, each in two rows or more on average
    group     a text, or a year, that repeats
    number    other numbers that are no identifiers

A table that other tables name by an id is spoken of by its name: `orders with the customer Jack Lee`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from agentbench.worlds.domain import Domain, Field, Kind, Link, QuerySpec, Role, Table
from agentbench.worlds.names import free, noun, plural, singular, slug
from agentbench.worlds.own_schema import RawColumn, RawTable
from agentbench.worlds.views import View, ViewField, endpoint_name, views

MOST_ENDPOINTS = 60
MOST_NAME_CHARACTERS = 60
"""Longest name that questions say."""
MOST_LABEL_CHARACTERS = 100
"""Longest value that questions ask for."""
_CATEGORIES = 30
_MISSING = ("nickname", "favourite colour", "insurance number", "carbon footprint", "mascot", "shoe size")
_BEST_NAMES = ("name", "title", "full_name", "label")


class OwnTables(NamedTuple):
    """A domain and its rows by the domain's names."""

    domain: Domain
    rows: dict[str, list[dict[str, Any]]]


def own_tables(name: str, title: str, raw: Sequence[RawTable]) -> OwnTables:
    """The domain of a user's tables."""
    named: dict[str, str] = {}
    for item in raw:
        named[item.name] = free(slug(item.name, "table"), named.values())
    drafts = {item.name: _table(item, named) for item in raw}
    tables = tuple(drafts.values())
    rows = {named[item.name]: _rows(item, drafts[item.name]) for item in raw}
    domain = Domain(name, title, title, f"Documents about {title}.", f"{title}: the user's own data", tables, (), ())
    return OwnTables(dataclasses.replace(domain, queries=tuple(_proposals(domain))), rows)


def _table(raw: RawTable, named: dict[str, str]) -> Table:
    name = named[raw.name]
    one = singular(name)
    key = _key(raw)
    keys = {item.column for item in raw.foreign_keys}
    fields: dict[str, Field] = {}
    for column in raw.columns:
        taken = {field.name for field in fields.values()} | {"data"}
        fields[column.name] = _field(raw, column, free(slug(column.name), taken), column.name == key, column.name in keys)
    if key:
        fields[key] = dataclasses.replace(fields[key], values=name, by=f"with the {noun(one)} {{}}")
    links = tuple(
        Link(fields[item.column].name, named[item.parent], slug(item.parent_column), _label(item.column))
        for item in raw.foreign_keys
    )
    return Table(
        name=name,
        singular=noun(one),
        plural=noun(name) if one != name else plural(noun(name)),
        key=fields[key].name if key else "",
        fields=tuple(fields.values()),
        links=links,
        missing=_MISSING,
        source=raw.name,
    )


def _label(column: str) -> str:
    """`home_team_id` → `home_team`."""
    name = slug(column)
    return re.sub(r"_?(id|key|fk|code)$", "", name) or name


def _key(raw: RawTable) -> str:
    names = [column for column in raw.columns if _names(raw, column)]
    if names:
        return min(names, key=lambda column: (_name_rank(raw, column), column.longest)).name
    declared = raw.column(raw.primary_key[0]) if len(raw.primary_key) == 1 else None
    return declared.name if declared and declared.type != "REAL" and declared.longest <= MOST_NAME_CHARACTERS else ""


def _names(raw: RawTable, column: RawColumn) -> bool:
    if column.type != "TEXT" or column.distinct < len(raw.rows) or column.longest > MOST_NAME_CHARACTERS:
        return False
    values = [row[column.name] for row in raw.rows]
    if any(value != value.strip() or not value or "\n" in value for value in values):
        return False
    return 2 * sum(any(char.isalpha() for char in value) for value in values) > len(values)


def _name_rank(raw: RawTable, column: RawColumn) -> int:
    name = slug(column.name)
    if name in _BEST_NAMES:
        return 0
    if name.endswith(_BEST_NAMES):
        return 1
    return 2 if raw.primary_key == (column.name,) else 3


def _field(raw: RawTable, column: RawColumn, name: str, is_key: bool, is_link: bool) -> Field:
    said = noun(name)
    role = Role.NAME if is_key else _role(raw, column, is_link)
    shared = role is Role.GROUP and column.type == "TEXT"
    return Field(
        name=name,
        noun=said,
        role=role,
        type=column.type,
        description=f"{said.capitalize()} of the {noun(singular(slug(raw.name, 'table')))}",
        values=name if shared else "",
        by=f"with the {said} {{}}",
        over=f"with a {said} above {{}}",
        source=column.name,
    )


def _role(raw: RawTable, column: RawColumn, is_link: bool) -> Role:
    repeats = column.filled / column.distinct
    if is_link or raw.primary_key == (column.name,) or column.longest > MOST_LABEL_CHARACTERS or column.distinct < 2:
        return Role.PLAIN
    if column.type == "TEXT":
        if column.longest > MOST_NAME_CHARACTERS:
            return Role.LABEL
        if column.distinct < _CATEGORIES and repeats >= 2:
            return Role.CATEGORY
        return Role.GROUP if repeats >= 1.3 else Role.LABEL
    if re.search(r"(^|_)(id|code|zip|phone|number|no|nr)$", slug(column.name)):
        return Role.LABEL
    if column.type == "INTEGER" and column.distinct <= 12 and repeats >= 3:
        return Role.CATEGORY
    if column.type == "INTEGER" and "year" in slug(column.name):
        return Role.GROUP
    return Role.NUMBER


def _rows(raw: RawTable, table: Table) -> list[dict[str, Any]]:
    names = {field.sql_name: field.name for field in table.fields}
    return [{names[column]: value for column, value in row.items()} for row in raw.rows]


def _proposals(domain: Domain) -> Iterator[QuerySpec]:
    """Query shapes, table by table in turn, up to the limit; each table's most useful first."""
    all_views = views(domain)
    waiting = [_table_proposals(table, all_views) for table in domain.tables]
    names: set[str] = set()
    while waiting and len(names) < MOST_ENDPOINTS:
        for source in list(waiting):
            spec = next(source, None)
            if spec is None:
                waiting.remove(source)
                continue
            name = endpoint_name(spec, _view(spec, all_views))
            if name not in names and len(name) <= 64 and len(names) < MOST_ENDPOINTS:
                names.add(name)
                yield spec


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
        yield from (QuerySpec(Kind.LIST, table.name, (name,)) for name in shared[:4])
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
