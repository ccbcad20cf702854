"""Tables, and tables joined with the one they link to, as the universes and endpoints that tools are made from.

A joined view holds the table's own columns under their names and the linked table's under theirs, with the linked
table's singular in front where both have one of that name (`country_population`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from agentbench.tools.sql.spec import Column, Endpoint, Universe
from agentbench.worlds.domain import Domain, Field, Kind, Link, QuerySpec, Table
from agentbench.worlds.names import free


class ViewField(NamedTuple):
    """One column of a view."""

    name: str
    noun: str
    field: Field
    expression: str
    by: str
    over: str
    parent: str = ""
    """Name of the column in the linked table it comes from; empty for the table's own."""


class View(NamedTuple):
    """What a universe is made from."""

    id: str
    table: Table
    source: str
    fields: dict[str, ViewField]
    link: Link | None = None
    """The foreign key that a joined view follows."""

    @property
    def key(self) -> str:
        """The column that names the rows."""
        return self.table.key


class Query(NamedTuple):
    """A query shape over a view, with its endpoint."""

    kind: Kind
    view: View
    by: tuple[str, ...]
    target: str
    over: str
    endpoint: Endpoint

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns that values are given for, the bound last."""
        return (*self.by, self.over) if self.over else self.by

    @property
    def output(self) -> str:
        """The column that the answer's values come from; empty for computed numbers."""
        match self.kind:
            case Kind.LOOKUP:
                return self.target
            case Kind.LIST | Kind.TOP | Kind.BOTTOM:
                return self.view.key
            case _:
                return ""

    @property
    def gives(self) -> str:
        """What a single answer names: a table, or a word such as `person`; empty for numbers and lists."""
        return self.view.fields[self.output].field.values if self.output and self.kind is not Kind.LIST else ""


def quote(identifier: str) -> str:
    """An identifier as SQL, whatever it contains."""
    return '"' + identifier.replace('"', '""') + '"'


def views(domain: Domain) -> dict[str, View]:
    """Every view of a domain by id: one per table, and one per foreign key."""
    found: dict[str, View] = {}
    for table in domain.tables:
        sql = quote(table.sql_name)
        own = {
            field.name: ViewField(field.name, field.noun, field, f"{sql}.{quote(field.sql_name)}", field.by, field.over)
            for field in table.fields
        }
        found[table.name] = View(table.name, table, sql, own)
    for table in domain.tables:
        for link in table.links:
            view = _joined(found[table.name], domain.table(link.table), link)
            name = view.id if view.id not in found else free(f"{view.id}_by_{link.field}", found)
            found[name] = view._replace(id=name)
    return found


def _joined(view: View, parent: Table, link: Link) -> View:
    alias = quote(parent.sql_name if parent.name != view.table.name else f"{parent.sql_name} linked")
    fields = dict(view.fields)
    for field in parent.fields:
        found = _parent_field(field, parent, link, view.fields)
        if found is not None:
            fields[found.name] = found._replace(expression=f"{alias}.{quote(field.sql_name)}")
    joined_on = parent.field(link.parent_field or parent.key).sql_name
    child = view.fields[link.field].expression
    source = f"{view.source} JOIN {quote(parent.sql_name)} AS {alias} ON {child} = {alias}.{quote(joined_on)}"
    return View(f"{view.table.name}_with_{parent.name}", view.table, source, fields, link)


def _parent_field(field: Field, parent: Table, link: Link, own: dict[str, ViewField]) -> ViewField | None:
    """A linked table's column as the view calls it; `None` where the own table has the same values."""
    if field.name == (link.parent_field or parent.key):
        return None
    if not link.label and field.name not in own:
        return ViewField(field.name, field.noun, field, "", field.by, field.over, field.name)
    label, is_name = link.label or parent.singular.replace(" ", "_"), field.name == parent.key
    name = label if is_name and label not in own else free(f"{label}_{field.name}", own)
    noun = label.replace("_", " ") if is_name else f"{label.replace('_', ' ')} {field.noun}"
    return ViewField(name, noun, field, "", f"whose {noun} is {{}}", f"whose {noun} is above {{}}", field.name)


def universes(all_views: dict[str, View]) -> tuple[Universe, ...]:
    """The views as handle tools know them."""
    return tuple(
        Universe(
            view.id,
            _universe_description(view),
            view.source,
            tuple(
                Column(item.name, item.field.type, item.field.description or item.noun, item.expression)
                for item in view.fields.values()
            ),
        )
        for view in all_views.values()
    )


def _universe_description(view: View) -> str:
    nouns = ", ".join(item.noun for item in view.fields.values())
    return f"{view.table.plural.capitalize()}: {nouns}."


def queries(domain: Domain, all_views: dict[str, View]) -> tuple[Query, ...]:
    """The declared query shapes with their endpoints."""
    return tuple(_query(spec, _view_for(spec, all_views)) for spec in domain.queries)


def _view_for(spec: QuerySpec, all_views: dict[str, View]) -> View:
    names = {*spec.by, spec.target, spec.over} - {""}
    candidates = [view for view in all_views.values() if view.table.name == spec.table]
    return next(view for view in candidates if names <= view.fields.keys())


def _query(spec: QuerySpec, view: View) -> Query:
    name = endpoint_name(spec, view)
    endpoint = Endpoint(
        name, _description(spec, view), _sql(spec, view), _parameters(spec, view), _result_key(spec, view)
    )
    return Query(spec.kind, view, spec.by, spec.target, spec.over, endpoint)


def endpoint_name(spec: QuerySpec, view: View) -> str:
    """The name of the endpoint: `list_films_by_director`, `longest_film_by_director` …"""
    table, by = view.table, "_and_".join(spec.by)
    over = f"_over_{spec.over}" if spec.over else ""
    singular, plural = table.singular.replace(" ", "_"), table.plural.replace(" ", "_")
    match spec.kind:
        case Kind.LOOKUP:
            return f"get_{singular}_{spec.target}"
        case Kind.LIST:
            return f"list_{plural}_by_{by}{over}"
        case Kind.COUNT:
            return f"count_{plural}_by_{by}{over}"
        case Kind.TOP | Kind.BOTTOM:
            word = superlative(spec.kind, view.fields[spec.target].field)
            if word:
                return f"{word.replace(' ', '_').replace('-', '_')}_{singular}_by_{by}{over}"
            return f"{singular}_with_{_extreme(spec.kind)}_{spec.target}_by_{by}{over}"
        case Kind.MEAN | Kind.SUM | Kind.MAX | Kind.MIN:
            return f"{_SPOKEN[spec.kind]}_{singular}_{spec.target}_by_{by}{over}"


_SPOKEN = {Kind.MEAN: "mean", Kind.SUM: "total", Kind.MAX: "highest", Kind.MIN: "lowest"}
_SQL = {Kind.MEAN: "ROUND(AVG({}), 2)", Kind.SUM: "SUM({})", Kind.MAX: "MAX({})", Kind.MIN: "MIN({})"}


def computed_word(kind: Kind) -> str:
    """The word for a computed number: mean, total, highest, lowest."""
    return _SPOKEN[kind]


def superlative(kind: Kind, field: Field) -> str:
    """The field's own superlative for TOP or BOTTOM; empty where it has none."""
    return field.most if kind is Kind.TOP else field.least


def _extreme(kind: Kind) -> str:
    return "highest" if kind is Kind.TOP else "lowest"


def _description(spec: QuerySpec, view: View) -> str:
    table = view.table
    nouns = " and ".join(view.fields[name].noun for name in spec.by)
    where = f"with a given {nouns}"
    if spec.over:
        where += f" and a {view.fields[spec.over].noun} above a bound"
    noun = view.fields[spec.target].noun if spec.target else ""
    match spec.kind:
        case Kind.LOOKUP:
            return f"The {noun} of one {table.singular}."
        case Kind.LIST:
            return f"The {table.plural} {where}."
        case Kind.COUNT:
            return f"How many {table.plural} there are {where}."
        case Kind.TOP | Kind.BOTTOM:
            return f"The {table.singular} with the {_extreme(spec.kind)} {noun} among the {table.plural} {where}."
        case _:
            return f"The {_SPOKEN[spec.kind]} {noun} of the {table.plural} {where}."


def _sql(spec: QuerySpec, view: View) -> str:
    fields = view.fields
    conditions = [f"{fields[name].expression} = :{name}" for name in spec.by]
    if spec.over:
        conditions.append(f"{fields[spec.over].expression} > :{spec.over}")
    where = f" FROM {view.source} WHERE {' AND '.join(conditions)}"
    key = fields[view.key].expression if view.key else ""
    target = fields[spec.target].expression if spec.target else ""
    match spec.kind:
        case Kind.LOOKUP:
            return f"SELECT {target}{where} AND {target} IS NOT NULL"
        case Kind.LIST:
            return f"SELECT {key}{where} ORDER BY {key}"
        case Kind.COUNT:
            return f"SELECT COUNT(*){where}"
        case Kind.TOP | Kind.BOTTOM:
            order = "DESC" if spec.kind is Kind.TOP else "ASC"
            return f"SELECT {key}{where} AND {target} IS NOT NULL ORDER BY {target} {order}, {key} LIMIT 1"
        case _:
            sums_reals = spec.kind is Kind.SUM and fields[spec.target].field.type == "REAL"
            pattern = "ROUND(SUM({}), 2)" if sums_reals else _SQL[spec.kind]
            return f"SELECT {pattern.format(target)}{where}"


_JSON_TYPES = {"TEXT": "string", "INTEGER": "integer", "REAL": "number"}


def _parameters(spec: QuerySpec, view: View) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in (*spec.by, spec.over) if spec.over else spec.by:
        item = view.fields[name]
        prefix = "Lower bound, not included: " if name == spec.over else ""
        described = prefix + (item.field.description or item.noun)
        found[name] = {"type": _JSON_TYPES[item.field.type], "description": described}
    return found


def _result_key(spec: QuerySpec, view: View) -> str:
    match spec.kind:
        case Kind.LOOKUP:
            return spec.target
        case Kind.LIST | Kind.TOP | Kind.BOTTOM:
            return view.key
        case Kind.COUNT:
            return "count"
        case _:
            return f"{_SPOKEN[spec.kind]}_{spec.target}"
