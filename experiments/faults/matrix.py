"""Which fault meets which entry point, and why some cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from experiments.faults import broken, disturbed, served, shared, stopped
from experiments.faults.bench import Bench, Whole
from experiments.faults.entries import ROWS
from experiments.faults.model_server import Misbehaviour
from experiments.faults.tools import faulty


class Column(NamedTuple):
    """One fault."""

    name: str
    meet: Callable[[Bench, Whole], str]
    """Lets a run meet it; gives a note of what was seen.

    Raises:
        NotGreen: something that is demanded did not hold.
    """


_LONG, _ODD = "0123456789" * 50_000, "\x00\x1b[2J\x07\u202e\u2028\x7f</script>"
COLUMNS = (
    Column("kill -9", stopped.killed),
    Column("SIGINT", stopped.interrupted),
    Column("SIGTERM", stopped.terminated),
    Column("full disk", disturbed.full_disk),
    Column("no inodes", disturbed.no_inodes),
    Column("file size limit", disturbed.file_limit),
    Column("read-only", disturbed.read_only),
    Column("clock +1 day", disturbed.clock_forwards),
    Column("clock -1 day", disturbed.clock_backwards),
    Column("model dead", served.model_dead),
    *(Column(f"model {kind}", served.misbehaving(kind)) for kind in list(Misbehaviour)[1:]),
    Column("judge down", served.judge_down),
    Column("retriever down", served.retriever_down),
    Column("tool hung", faulty({"waiting": "", "blocking": "env.tools.calculator.blocking=true"}, "")),
    Column("tool raising", faulty({"raising": "", "leaving": "", "endless": ""}, "")),
    Column("tool huge", faulty({"huge": ""}, _LONG)),
    Column("tool binary", faulty({"binary": "", "surrogates": "", "controls": ""}, _ODD)),
    Column("corrupt line", broken.corrupt_line),
    Column("two runs", shared.two_runs),
    Column("memory", shared.out_of_memory),
    Column("worker killed", shared.worker_out_of_memory),
)

_PLAYERS = frozenset({"rollout", "eval"})
_TRAINERS = frozenset({"train sft", "train dpo", "train grpo"})
_ALL = frozenset(row.row for row in ROWS)
_NO_MODEL = "asks no model behind a server"
_TOO_SMALL = "plays through a rollout's own pool and environment, but the matrix's model is too small to call a tool"


def _but(*rows: str) -> frozenset[str]:
    return _ALL - frozenset(rows)


_REASONS: tuple[tuple[frozenset[str], tuple[str, ...], str], ...] = (
    (
        _TRAINERS,
        ("model dead", "model slow", "model garbage", "model 5xx", "model 429"),
        "the model is in the process; with serve=vllm it is a vLLM server of its own (tests/end_to_end/test_vllm.py)",
    ),
    (
        _but("rollout", "eval", "prepare", *_TRAINERS),
        ("model dead", "model slow", "model garbage", "model 5xx", "model 429"),
        _NO_MODEL,
    ),
    (_but("rollout", "eval"), ("judge down",), "asks no judge"),
    (
        frozenset({"prepare", "build_prefs", "report", "train sft", "train dpo"}),
        ("retriever down",),
        "searches nothing",
    ),
    (frozenset({"prepare", "train dpo"}), ("tool hung", "tool raising", "tool huge", "tool binary"), "calls no tools"),
    (frozenset({"train grpo"}), ("tool hung", "tool raising", "tool huge", "tool binary"), _TOO_SMALL),
    (
        frozenset({"serve"}),
        ("tool hung", "tool raising", "tool huge", "tool binary"),
        "serves tools over our own databases alone, whose statements are limited in time and rows",
    ),
    (
        frozenset({"build_prefs", "report"}),
        ("tool hung", "tool raising"),
        "calls no tools: it reads what came of calls",
    ),
    (
        frozenset({"prepare"}),
        ("corrupt line",),
        "reads Python packages; sources of one's own: tests/end_to_end/test_commands.py",
    ),
    (_but(*_TRAINERS), ("worker killed",), "has no workers; launcher=ray's are killed in tests/end_to_end/test_ray.py"),
    (
        frozenset({"train grpo"}),
        ("worker killed",),
        "plays in one process here; ranks are killed in the other trainings",
    ),
    (
        frozenset({"train sft"}),
        ("tool huge", "tool binary"),
        "left out: where such a result does not end its set-up, a student would be trained from nothing for the cell",
    ),
    (
        frozenset({"report", "doctor", "build_prefs", "prepare", "serve"}),
        ("memory",),
        "under way for a second only; a process that is killed for its memory is kill -9",
    ),
)


def impossible(row: str, column: str) -> str:
    """Why a fault cannot meet an entry point; empty where it can."""
    return next((why for rows, columns, why in _REASONS if row in rows and column in columns), "")
