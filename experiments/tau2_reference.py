"""Do our tools do to τ²-bench's records what another implementation's do?

    python -m venv .venv-tau2 && .venv-tau2/bin/pip install inspect_evals==0.26.0
    python experiments/tau2_reference.py --root FOLDER --peer .venv-tau2/bin/python [--tasks base] [--perturbed 1000]

FOLDER is the benchmark's folder of domains. The other implementation is the port in `inspect_evals`, whose
databases are the same. Sequences: the tasks' reference actions, and perturbed ones: calls dropped, repeated,
shuffled, with arguments of other tasks, and other tasks' calls thrown in. Compared are which calls are carried out, the
records that differ at the end, the tasks' own checks, and the outcome: whether the records are those that the task's
reference leaves, each side by its own tools. A phone's tools that refuse with a message on the other side do not count
as calls.

Left out: `calculate` and the transfer, which change nothing; descriptions; ids of new bills, which are drawn there.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from agentbench.envs.tool_env import argument_problem
from agentbench.errors import ToolError
from agentbench.tasks.tau2 import Check, InitialState, Published, read_suite
from agentbench.tools.tau2.domains import DOMAINS, Databases, read_databases
from agentbench.types import ToolSpec

LEFT_OUT = frozenset({"calculate", "transfer_to_human_agents", "get_item_details"})
SOFT = frozenset({"make_payment", "connect_vpn", "disconnect_vpn", "toggle_wifi", "grant_app_permission"})
"""Where the other side's refusal is a message."""
WORDS = frozenset({"description"})
Call = tuple[str, str, dict[str, Any]]
"""Who calls what with which arguments."""


class Trial(NamedTuple):
    """One thing that is carried out on both sides."""

    task: str
    perturbed: bool
    begins: tuple[Call, ...]
    calls: tuple[Call, ...]
    checks: tuple[Call, ...]


class Came(NamedTuple):
    """What came of it on one side."""

    carried_out: tuple[bool, ...]
    checks: tuple[bool, ...]
    changes: Any


def main() -> None:
    """Plays all sequences of each domain on both sides and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--peer", type=Path, required=True, help="python of an environment with inspect_evals")
    parser.add_argument("--tasks", default="base", help="set of tasks: base, train, test")
    parser.add_argument("--perturbed", type=int, default=1000, help="perturbed sequences per domain")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table = Table()
    for column in (
        "domain",
        "sequences",
        "n",
        "calls alike",
        "records alike",
        "checks alike",
        "outcomes alike",
        "solved",
    ):
        table.add_column(column, justify="left" if column in ("domain", "sequences") else "right")
    for domain in ("retail", "airline", "telecom"):
        suite = read_suite(given.root / domain, ())
        tasks = [task for task in suite.tasks if task.id in suite.sets[given.tasks]]
        sequences = [*map(reference, tasks), *perturbed(tasks, given.perturbed, random.Random(given.seed))]
        databases = read_databases(given.root / domain)
        ours = [played(domain, databases, each) for each in sequences]
        for row in rows(sequences, ours, theirs(domain, given.peer, sequences)):
            table.add_row(domain, *row)
    Console(width=140).print(table)


def reference(task: Published) -> Trial:
    """The reference actions of a task."""
    state = task.initial_state or InitialState()
    begins = ((each.env_type, each.func_name, each.arguments) for each in state.initialization_actions or ())
    calls = ((act.requestor, act.name, act.arguments) for act in task.acts if act.name not in LEFT_OUT)
    checks = map(_as_call, task.evaluation_criteria.env_assertions or ())
    return Trial(task.id, False, tuple(begins), tuple(calls), tuple(checks))


def perturbed(tasks: Sequence[Published], count: int, rng: random.Random) -> Iterator[Trial]:
    """Sequences near the reference ones."""
    whole = [reference(task) for task in tasks]
    values: dict[str, list[Any]] = {}
    for each in whole:
        for _, _, arguments in each.calls:
            for name, value in arguments.items():
                values.setdefault(name, []).append(value)
    for _ in range(count):
        own, other = rng.choice(whole), rng.choice(whole)
        calls = [_changed(call, values, rng) for call in own.calls if rng.random() > 0.15]
        for call in rng.sample(other.calls, min(len(other.calls), rng.randrange(4))):
            calls.insert(rng.randint(0, len(calls)), call)
        if calls and rng.random() < 0.3:
            calls.insert(rng.randint(0, len(calls)), rng.choice(calls))
        if rng.random() < 0.2:
            rng.shuffle(calls)
        yield own._replace(perturbed=True, calls=tuple(calls))


def _changed(call: Call, values: dict[str, list[Any]], rng: random.Random) -> Call:
    who, name, arguments = call
    if not arguments or rng.random() > 0.2:
        return call
    key = rng.choice(list(arguments))
    return who, name, {**arguments, key: rng.choice(values[key])}


def played(domain: str, databases: Databases, sequence: Trial) -> Came:
    """What comes of a sequence here."""
    known = DOMAINS[domain]
    specs = {tool.spec.name: tool.spec for tool in (*known.tools, *known.user_tools)}
    world = databases.world(parity=True)
    for _, name, arguments in sequence.begins:
        known.call(world, name, arguments)
    carried_out: list[bool] = []
    for _, name, arguments in sequence.calls:
        try:
            _refuse_wrong(specs[name], arguments)
            known.call(world, name, arguments)
            carried_out.append(True)
        except ToolError:
            carried_out.append(False)
    checks = tuple(known.checks[name](world, **arguments) for _, name, arguments in sequence.checks)
    return Came(tuple(carried_out), checks, _plain(world.company.changes()))


def theirs(domain: str, python: Path, sequences: Sequence[Trial]) -> list[Came]:
    """What comes of all sequences on the other side."""
    lines = "".join(
        json.dumps({"begins": each.begins, "calls": each.calls, "checks": each.checks}) + "\n" for each in sequences
    )
    script = Path(__file__).with_name("tau2_peer.py")
    done = subprocess.run([python, script, domain], input=lines, capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [Came(tuple(each["carried_out"]), tuple(each["checks"]), _plain(each["changes"])) for each in found]


def rows(sequences: Sequence[Trial], ours: Sequence[Came], others: Sequence[Came]) -> Iterator[tuple[str, ...]]:
    """How often both sides agree, over reference and over perturbed sequences."""
    both = list(zip(sequences, ours, others, strict=True))
    wanted = {each.task: (mine.changes, other.changes) for each, mine, other in both if not each.perturbed}
    for kind in (False, True):
        alike: Counter[str] = Counter()
        group = [each for each in both if each[0].perturbed is kind]
        for each, mine, other in group:
            counted = [name not in SOFT for _, name, _ in each.calls]
            alike["calls"] += all(
                one == two
                for one, two, counts in zip(mine.carried_out, other.carried_out, counted, strict=True)
                if counts
            )
            alike["records"] += mine.changes == other.changes
            alike["checks"] += mine.checks == other.checks
            solved = [_solved(came, want) for came, want in zip((mine, other), wanted[each.task], strict=True)]
            alike["outcomes"] += solved[0] == solved[1]
            alike["solved"] += solved[1]
        figures = (str(alike[name]) for name in ("calls", "records", "checks", "outcomes", "solved"))
        yield ("perturbed" if kind else "reference", str(len(group)), *figures)


def _solved(came: Came, wanted: Any) -> bool:
    return came.changes == wanted and all(came.checks)


def _as_call(check: Check) -> Call:
    return check.env_type, check.func_name, check.arguments


def _refuse_wrong(spec: ToolSpec, arguments: dict[str, Any]) -> None:
    problem = argument_problem(spec, arguments)
    if problem:
        raise ToolError(problem)


def _plain(value: Any) -> Any:
    """Records without what is only words or nothing, numbers to a millionth."""
    match value:
        case dict():
            found = {key: _plain(each) for key, each in value.items() if key not in WORDS and each is not None}
            return {key: each for key, each in found.items() if each != {}}
        case list():
            return [_plain(each) for each in value]
        case float():
            return round(value, 6)
        case _:
            return value


if __name__ == "__main__":
    main()
