"""The other side of `tau2_reference.py`: action sequences carried out by inspect_evals' port of τ²-bench's tools.

    python tau2_peer.py retail|airline|telecom < sequences > results     (where inspect_evals 0.26.0 is installed)

One sequence per line, `{"begins": [[who, name, arguments], …], "calls": […], "checks": [[who, name, arguments], …]}`;
for each, which calls were carried out, what the checks say, and the records that differ from the published ones. Every
sequence is played in a child process, which begins with untouched records.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import copy
import json
import os
import sys
from typing import Any

IDS = {"plans": "plan_id", "devices": "device_id", "lines": "line_id", "customers": "customer_id", "bills": "bill_id"}


class Side:
    """The tools of one domain."""

    def __init__(self, domain: str) -> None:
        self.user: Any = None
        self._environment: Any = None
        match domain:
            case "retail":
                from inspect_evals.tau2.retail.RetailAgentTools import RetailAgentTools as Tools
            case "airline":
                from inspect_evals.tau2.airline.AirlineAgentTools import AirlineAgentTools as Tools
            case _:
                from inspect_evals.tau2.telecom.TelecomAgentTools import TelecomAgentTools as Tools
        self.agent: Any = Tools()
        self.agent.initialize()
        if domain == "telecom":
            from inspect_evals.tau2.telecom.environment import Environment
            from inspect_evals.tau2.telecom.TelecomUserTools import TelecomUserTools

            self.user = TelecomUserTools()
            self.user.initialize()
            self._environment = Environment(self.user, self.agent)
        self._published = copy.deepcopy(self._tables())

    def played(self, sequence: dict[str, Any]) -> dict[str, Any]:
        """What comes of a sequence."""
        for each in sequence["begins"]:
            self._call(*each)
        carried_out = [self._call(*each) for each in sequence["calls"]]
        checks = [bool(getattr(self._of(who), name)(**arguments)) for who, name, arguments in sequence["checks"]]
        return {"carried_out": carried_out, "checks": checks, "changes": self._changes()}

    def _of(self, who: str) -> Any:
        return self.user if who == "user" else self.agent

    def _call(self, who: str, name: str, arguments: dict[str, Any]) -> bool:
        try:
            getattr(self._of(who), name)(**arguments)
        except Exception:  # whatever it raises, the tool has refused
            return False
        finally:
            if self._environment is not None:
                self._environment.sync_tools()
        return True

    def _tables(self) -> dict[str, dict[str, Any]]:
        """Its records by id, by name of table, as the objects they are."""
        found = {name: getattr(self.agent.db, name) for name in type(self.agent.db).model_fields}
        return {
            name: {getattr(record, IDS[name]): record for record in table} if isinstance(table, list) else table
            for name, table in found.items()
            if isinstance(table, list | dict)
        }

    def _changes(self) -> dict[str, dict[str, Any]]:
        return {
            name: {
                key: record.model_dump(mode="json", by_alias=True)
                for key, record in table.items()
                if self._published[name].get(key) != record
            }
            for name, table in self._tables().items()
        }


def apart(side: Side, line: str) -> str:
    """The result of one line, worked out in a child process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writing, "w") as out:
            out.write(json.dumps(side.played(json.loads(line))))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as found:
        result = found.read()
    os.waitpid(child, 0)
    return result


if __name__ == "__main__":
    tools = Side(sys.argv[1])
    for each in sys.stdin:
        print(apart(tools, each), flush=True)
