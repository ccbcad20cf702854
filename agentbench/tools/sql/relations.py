"""Tables that are not computed yet: a FROM clause with conditions, an order and a limit, as one value.

Every step of a handle tool makes a new relation from an old one; SQLite only runs when something is shown. Text of
statements is put together from declared expressions only, columns of subqueries go by number, and each fragment
carries the values bound in it: nothing an agent says is ever part of the text.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from agentbench.errors import PreflightError, ToolError
from agentbench.tools.sql.database import Scalar
from agentbench.tools.sql.spec import Universe

MAX_SQL_CHARS = 32_000
"""Longest statement a chain of steps may grow to; concatenation doubles it."""
COLUMN_TYPES = ("TEXT", "INTEGER", "REAL")


class Sql(NamedTuple):
    """A piece of a statement and the values of its `?`, in order."""

    text: str
    values: tuple[Scalar, ...] = ()


class Expression(NamedTuple):
    """Where a column's values come from, and their type: `TEXT`, `INTEGER` or `REAL`."""

    type: str
    sql: Sql

    def applied(self, template: str, *values: Scalar) -> Sql:
        """`template` with the column at every `{}`; `values` belong to the `?` after the last of them."""
        uses = template.count("{}")
        return Sql(template.format(*[self.sql.text] * uses), (*self.sql.values * uses, *values))


def join(separator: str, parts: Iterable[Sql]) -> Sql:
    """The parts with `separator` between them, their values in the same order."""
    parts = tuple(parts)
    values = tuple(value for part in parts for value in part.values)
    return Sql(separator.join(part.text for part in parts), values)


class SortKey(NamedTuple):
    """One criterion of an order; rows without a value come last in both directions."""

    sql: Sql
    ascending: bool

    def over(self, template: str) -> Sql:
        """The criterion with its expression put into `template` at `{}`."""
        direction = "ASC" if self.ascending else "DESC"
        return Sql(f"{template.format(self.sql.text)} {direction} NULLS LAST", self.sql.values)


@dataclass(frozen=True, slots=True)
class Relation:
    """A table described, not computed. `label` says what it holds, for the names of handles."""

    label: str
    source: Sql
    columns: Mapping[str, Expression]
    conditions: tuple[Sql, ...] = ()
    order: tuple[SortKey, ...] = ()
    limit: int | None = None

    def column(self, name: str) -> Expression:
        """The column of that name.

        Raises:
            ToolError: there is none; the message lists what there is.
        """
        if name not in self.columns:
            raise ToolError(missing("column", name, self.columns))
        return self.columns[name]

    def filtered(self, name: str, condition: str, *values: Scalar) -> Relation:
        """The rows whose column meets a condition: SQL with the column at `{}` and a `?` for each value after it."""
        base = self.opened()
        return replace(base, conditions=(*base.conditions, base.column(name).applied(condition, *values)))

    def sorted(self, name: str, ascending: bool) -> Relation:
        """The rows ordered by a column; rows that tie keep the order they had."""
        base = self.opened()
        return replace(base, order=(SortKey(base.column(name).sql, ascending), *base.order))

    def limited(self, limit: int) -> Relation:
        """The first `limit` rows."""
        return replace(self, limit=limit if self.limit is None else min(limit, self.limit))

    def transformed(self, name: str, expression: Expression) -> Relation:
        """The same rows with another expression behind a column's name."""
        return replace(self, columns={**self.columns, name: expression})

    def only(self, name: str) -> Relation:
        """One column as a list: one entry per row, missing values included."""
        return replace(self, label=f"{name}_values", columns={name: self.column(name)})

    def distinct(self, name: str) -> Relation:
        """One column as a list of different values without missing ones, each where it first appears."""
        base = self.opened()
        expression = base.column(name)
        present = join(" AND ", (*base.conditions, expression.applied("{} IS NOT NULL")))
        selected = join("", (Sql("SELECT DISTINCT "), _numbered(expression, 0), Sql(" FROM "), base.source))
        parts = [selected, Sql(" WHERE "), present]
        if base.order:
            # A value's place is its best row's: exact for one criterion, the best of each for several.
            best = (key.over("min({})" if key.ascending else "max({})") for key in base.order)
            # Without LIMIT, SQLite may drop the order of a subquery.
            parts += [Sql(" GROUP BY "), expression.sql, Sql(" ORDER BY "), join(", ", best), Sql(" LIMIT -1")]
        inner = join("", (Sql("("), *parts, Sql(") AS inner_rows")))
        return Relation(f"{name}_values", inner, {name: _inner(expression.type, 0)})

    def concatenated(self, other: Relation) -> Relation:
        """The rows of both, one after the other; an order without a limit is lost.

        Raises:
            ToolError: the columns differ. Two lists fit whatever they are called.
        """
        names, others = list(self.columns), list(other.columns)
        if sorted(names) != sorted(others) and not len(names) == len(others) == 1:
            differing = ", ".join(sorted(set(names) ^ set(others)))
            raise ToolError(f"the two tables have different columns ({differing}); only like tables can be joined up")
        columns = [others[0]] if len(names) == 1 else names
        both = (
            Sql("SELECT * FROM "),
            self._subquery(names),
            Sql(" UNION ALL SELECT * FROM "),
            other._subquery(columns),
        )
        source = join("", (Sql("("), *both, Sql(") AS inner_rows")))
        merged = {
            name: _inner(_common_type(self.columns[name], other.columns[key]), i)
            for i, (name, key) in enumerate(zip(names, columns, strict=True))
        }
        return Relation(self.label, source, merged)

    def opened(self) -> Relation:
        """The same rows in a form that conditions, orders and aggregates can be added to: a limit goes inside."""
        if self.limit is None:
            return self
        columns = {name: _inner(column.type, i) for i, (name, column) in enumerate(self.columns.items())}
        return Relation(self.label, self._subquery(list(self.columns)), columns)

    def rows_sql(self, limit: int) -> Sql:
        """The statement that gives the first `limit` rows, columns in order."""
        return self.limited(limit)._select([column.sql for column in self.columns.values()])

    def value_sql(self, template: str, name: str) -> Sql:
        """The statement that gives one row: `template` with the named column at every `{}`."""
        base = replace(self.opened(), order=())
        return base._select([base.column(name).applied(template)])

    def count_sql(self) -> Sql:
        """The statement that counts the rows as if there were no limit; neither columns nor order change it."""
        return replace(self, order=(), limit=None)._select([Sql("count(*)")])

    def _subquery(self, names: list[str]) -> Sql:
        numbered = [_numbered(self.columns[name], i) for i, name in enumerate(names)]
        return join("", (Sql("("), self._select(numbered), Sql(") AS inner_rows")))

    def _select(self, expressions: list[Sql]) -> Sql:
        parts = [Sql("SELECT "), join(", ", expressions), Sql(" FROM "), self.source]
        if self.conditions:
            parts += [Sql(" WHERE "), join(" AND ", self.conditions)]
        if self.order:
            parts += [Sql(" ORDER BY "), join(", ", (key.over("{}") for key in self.order))]
        if self.limit is not None:
            parts.append(Sql(" LIMIT ?", (self.limit,)))
        statement = join("", parts)
        if len(statement.text) > MAX_SQL_CHARS:
            raise ToolError("this table was combined from too many steps; start again from get_data")
        return statement


def base_relation(universe: Universe) -> Relation:
    """All rows of a universe.

    Raises:
        PreflightError: a column is declared with another type than `TEXT`, `INTEGER` or `REAL`.
    """
    for column in universe.columns:
        if column.type not in COLUMN_TYPES:
            problem = f"type {column.type!r} is none of {', '.join(COLUMN_TYPES)}"
            place = f"universe {universe.id!r}, column {column.name!r}"
            raise PreflightError(f"{place}: {problem}", "python -m agentbench.prepare")
    columns = {column.name: Expression(column.type, Sql(column.expression)) for column in universe.columns}
    return Relation(universe.id, Sql(universe.source), columns)


def missing(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that is not among the known ones, with the nearest of them."""
    known = list(known)
    near = difflib.get_close_matches(name[:100], known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    listed = ", ".join(known[:60]) + (" …" if len(known) > 60 else "")
    return f"there is no {kind} {name[:100]!r}{hint} There is: {listed}"


def _numbered(column: Expression, index: int) -> Sql:
    # Not its own name: SQLite drops an alias such as "false".
    return column.applied(f"{{}} AS column_{index}")


def _inner(column_type: str, index: int) -> Expression:
    # With the table's alias: alone, the name could also mean a result column, which may hold other values.
    return Expression(column_type, Sql(f"inner_rows.column_{index}"))


def _common_type(first: Expression, second: Expression) -> str:
    if first.type == second.type:
        return first.type
    return "TEXT" if "TEXT" in (first.type, second.type) else "REAL"
