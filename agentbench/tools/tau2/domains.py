"""The domains by name, and their databases as they are published."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from agentbench.errors import DataError, PreflightError
from agentbench.tools.tau2.airline_tools import AIRLINE
from agentbench.tools.tau2.mock import MOCK
from agentbench.tools.tau2.phone import AROUND, AROUND_AT_FIRST, DEVICE, PHONE
from agentbench.tools.tau2.records import Record, Records, Tables
from agentbench.tools.tau2.retail import RETAIL
from agentbench.tools.tau2.telecom_tools import TELECOM
from agentbench.tools.tau2.world import Domain, World

DOMAINS: Mapping[str, Domain] = MappingProxyType(
    {"retail": RETAIL, "airline": AIRLINE, "telecom": TELECOM, "mock": MOCK}
)

_IDS = {"plans": "plan_id", "devices": "device_id", "lines": "line_id", "customers": "customer_id", "bills": "bill_id"}
"""What identifies records that are published as lists."""


class Databases(NamedTuple):
    """What every episode of a domain begins with; shared, and never written to."""

    company: Tables
    user: Tables

    def world(self, *, parity: bool = False) -> World:
        """A fresh world over them; in parity its tools repeat the published ones' faults."""
        return World(Records(self.company), Records(self.user), parity)


def read_databases(folder: Path) -> Databases:
    """The databases of a domain's folder, `db` and where there is one `user_db`, each `.json` or `.toml`.

    Raises:
        PreflightError: `db` is not there.
        DataError: a file is no database.
    """
    company = _first(folder, "db")
    if company is None:
        raise PreflightError(
            f"{folder} holds neither db.json nor db.toml", "set env.root to τ²-bench's folder of domains"
        )
    user = _first(folder, "user_db")
    return Databases(_tables(company), _phone(_read(user)) if user is not None else {})


def _first(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.json", folder / f"{name}.toml") if path.is_file()), None)


def _read(path: Path) -> dict[str, Any]:
    content = path.read_text(encoding="utf-8")
    try:
        found = json.loads(content) if path.suffix == ".json" else tomllib.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(path, f"cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise DataError(path, f"is {type(found).__name__}, not tables by name")
    return found


def _tables(path: Path) -> Tables:
    return {name: _by_id(path, name, records) for name, records in _read(path).items()}


def _by_id(path: Path, name: str, records: Mapping[str, Record] | Sequence[Record]) -> Mapping[str, Record]:
    if isinstance(records, Mapping):
        return records
    if name not in _IDS or not isinstance(records, list):
        raise DataError(path, f"{name!r} is a list of records without known ids")
    return dict(_identified(path, record, _IDS[name]) for record in records)


def _identified(path: Path, record: Any, key: str) -> tuple[str, Record]:
    match record:
        case dict() if isinstance(record.get(key), str):
            return record[key], record
    raise DataError(path, f"{str(record)[:80]!r} is no record with a text as {key!r}")


def _phone(found: dict[str, Any]) -> Tables:
    """A phone as one table of two records; other users' records as they are."""
    if DEVICE not in found:
        return found
    return {PHONE: {DEVICE: found[DEVICE], AROUND: {**AROUND_AT_FIRST, **found.get(AROUND, {})}}}
