"""Records in memory that many episodes share: what one of them changes is its own.

The shared tables are never written to. A record is copied when an episode first edits it, so a fork costs what was
changed and not the whole database.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

Record = dict[str, Any]
Tables = Mapping[str, Mapping[str, Record]]
"""Records by id, by name of table."""


class Records:
    """One episode's view of a database."""

    def __init__(self, base: Tables) -> None:
        """`base` is shared and has to stay as it is."""
        self._base = base
        self._own: dict[str, dict[str, Record]] = {}

    def find(self, table: str, key: str) -> Record | None:
        """The record for reading only; `None` where there is none."""
        own = self._own.get(table, {}).get(key)
        return own if own is not None else self._base.get(table, {}).get(key)

    def edit(self, table: str, key: str) -> Record:
        """The record for writing; it has to exist."""
        own = self._own.setdefault(table, {})
        if key not in own:
            own[key] = copy.deepcopy(self._base[table][key])
        return own[key]

    def put(self, table: str, key: str, record: Record) -> None:
        """Adds a record, or puts it in place of the one there was."""
        self._own.setdefault(table, {})[key] = record

    def each(self, table: str) -> Iterator[tuple[str, Record]]:
        """All records of a table for reading, in the order they came to be."""
        own = self._own.get(table, {})
        for key, record in self._base.get(table, {}).items():
            yield key, own.get(key, record)
        yield from ((key, record) for key, record in own.items() if key not in self._base.get(table, {}))

    def fork(self) -> Records:
        """A copy; neither sees what is changed in the other afterwards."""
        twin = Records(self._base)
        twin._own = copy.deepcopy(self._own)
        return twin

    def changes(self) -> dict[str, dict[str, Record]]:
        """Records that differ from the shared ones; equal for two views of a database exactly if they show the same."""
        found = {
            table: {key: record for key, record in own.items() if record != self._base.get(table, {}).get(key)}
            for table, own in self._own.items()
        }
        return {table: changed for table, changed in found.items() if changed}
