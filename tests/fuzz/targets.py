"""Every parser of untrusted input by name, as a function of bytes, with inputs of the right form to begin from.

A target returns where the input was read or refused by an error of ours (`agentbench.errors`), and raises anything else
that came out. Properties beyond that are asserted in the targets: what was read can be stored, is read again the same,
drives no terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import orjson

from tests.fuzz import call_seeds, files, said, seeds


class Target(NamedTuple):
    """A parser, and how to begin."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def _target(run: Callable[[bytes], None], *values: Any) -> Target:
    return Target(run, tuple(value if isinstance(value, bytes) else orjson.dumps(value) for value in values))


_TEMPLATES = {
    f"template_{name}": _target(partial(said.template, name), *seeds.COMPLETIONS[name]) for name in seeds.COMPLETIONS
}
_TOOLS = {f"tools_{kind}": _target(partial(said.calls, kind), *call_seeds.CALLS[kind]) for kind in call_seeds.CALLS}
TARGETS: dict[str, Target] = {
    **_TEMPLATES,
    "template_wall": _target(said.wall, *(text for texts in seeds.COMPLETIONS.values() for text in texts)),
    "planner": _target(said.plan, *seeds.PLANS),
    "code_agent": _target(said.code, *seeds.CODE),
    "judges": _target(said.judges, *seeds.VERDICTS),
    "calculator": _target(said.calculator, b"2 * (3 + 4) ** 2", b"round(sqrt(2), 3) // -1 % 7", b"min(1, pi) - 1e308"),
    **_TOOLS,
    "retriever_query": _target(said.query, b"films by Mann", b'title:Heat AND (text:"oil"~2 OR rust^3) -x [a TO b] *'),
    "chat_answer": _target(said.chat_answer, *seeds.ANSWERS),
    "web_page": _target(said.web_page, b"<main><p>Oil &amp; gas<script>x</script></p></main><nav>menu</nav><![CDATA["),
    "tool_policy": _target(said.policy, b"Never use the retriever for questions about Sports. Only use APIs instead."),
    "task_file": _target(files.tasks, *seeds.TASKS),
    "trajectories": _target(files.trajectories, *seeds.TRAJECTORIES),
    "resume": _target(files.resumed, *seeds.TRAJECTORIES),
    "rows": _target(files.rows, *seeds.ROWS),
    "xlam": _target(files.xlam, *seeds.XLAM),
    "nestful": _target(files.nestful, seeds.NESTFUL),
    "toolbench": _target(files.toolbench, seeds.TOOLBENCH),
    "bfcl": _target(files.bfcl, *seeds.BFCL),
    "vakra": _target(files.vakra, seeds.VAKRA),
    "vakra_yaml": _target(files.vakra_yaml, *seeds.YAML),
    "tau2": _target(files.tau2, seeds.TAU2),
    "appworld": _target(files.appworld, seeds.APPWORLD),
    "appworld_list": _target(files.appworld_list, b"a_1\na_1:2\n", b"../../a\n/etc\n"),
    "dump": _target(files.dump, {"title": "Oil", "text": "Rust.\nOil is a liquid."}, {"index": {"_id": "7"}}),
    "documents": _target(files.documents, {"id": "a", "title": "Oil", "text": "Rust."}, b"# Oil\n\nRust and water.\n"),
    "sqlite": _target(files.sqlite, bytes(range(60)), b"SQLite format 3\x00" + bytes(100)),
    "world": _target(files.world, seeds.WORLD),
    "openapi": _target(files.openapi, seeds.OPENAPI),
    "schema": _target(files.schema, *seeds.SCHEMAS),
    "config_file": _target(files.config_values, *seeds.YAML),
    "overrides": _target(files.overrides, *seeds.OVERRIDES),
    "labels": _target(files.labels, {"task": "a", "sample": 0, "solved": True}, {"entry": "eval", "earlier": []}),
}
