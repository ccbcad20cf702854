"""Tools that hang, raise, or give too much or no text."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import orjson

from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.tasks.files import write_tasks
from agentbench.types import Answer, AnswerType, Gold, Outcome, Task, Turn
from experiments.faults.bench import DONE, FAILURES, GATE, MISSING, Bench, Whole, demand, told
from experiments.faults.children import entry_command
from experiments.faults.model_server import NAME

TASKS = 4
_TASKS = [
    Task(f"sum-{number}", "faults", "sums", (Turn("What is 1 + 1?", Gold(Answer(AnswerType.NUMBER, 2.0))),))
    for number in range(TASKS)
]
_FUNCTIONS = "experiments.faults.faulty_tools"


def faulty(functions: dict[str, str], text: str) -> Callable[[Bench, Whole], str]:
    """A tool with each of these faults; `text` is what one says who reads the trajectories of such a run.

    `functions` gives further overrides of the tool by the function's name.
    """

    def fault(bench: Bench, whole: Whole) -> str:
        if bench.entry.name in ("build_prefs", "report"):
            return _read(bench, whole, text)
        return "; ".join(_played(bench, function, more) for function, more in functions.items())

    return fault


def _played(bench: Bench, function: str, more: str) -> str:
    tool = [f"env.tools.calculator.function={_FUNCTIONS}.{function}", "env.tool_timeout_s=0.3", *filter(None, [more])]
    world = ["env=playground", f"tasks.limit={TASKS}", "cache_dir=out/cache", f"hydra.run.dir=out/{function}"]
    match bench.entry.name:
        case "doctor":
            ended = bench.child(entry_command("doctor", *world, *tool)).end()
            told(ended, DONE, GATE, MISSING)
            return f"{function}: exit code {ended.code}"
        case "train":
            played = [text for text in world if not text.startswith("tasks.")]
            ended = bench.child(entry_command("train", "stage=sft", *played, *tool)).end()
            told(ended, FAILURES, MISSING)
            return f"{function}: exit code {ended.code}"
        case name:
            assert bench.server is not None
            model = ["model=openai", f"model.base_url={bench.server.url}", f"model.name={NAME}"]
            write_tasks(bench.folder / "tasks.jsonl", _TASKS)
            told(bench.child(entry_command(name, *model, *world, *tool, "tasks.file=tasks.jsonl")).end(), DONE)
            return f"{function}: {_outcomes(bench.run_folder(function))}"


def _outcomes(folder: Path) -> str:
    kept = list(read_trajectories(folder / TRAJECTORIES))
    demand(len(kept) == TASKS and not any(one.error for one in kept), f"{[one.error for one in kept]}")
    called = [one.history.steps[0].observation for one in kept]
    demand(all(len(one.text) < 1_000_000 for one in called), "a whole huge result is kept")
    return "an observation" if all(one.outcome is Outcome.TOOL_ERROR for one in called) else "its text"


def _read(bench: Bench, whole: Whole, text: str) -> str:
    """Trajectories whose observations hold such a text."""
    name = "mixed" if bench.entry.name == "build_prefs" else "evaluated"
    folder = bench.folder / name
    shutil.copytree(bench.kitchen.folder / name, folder)
    path = folder / TRAJECTORIES
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        for step in line["history"]["steps"]:
            step["observation"]["text"] = text
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    given = f"trajectories=['{path}']" if name == "mixed" else f"run='{folder}'"
    told(bench.start(given).end(), DONE)
    bench.complete("run", whole)
    return f"read from trajectories: {len(text):,} characters per observation"
