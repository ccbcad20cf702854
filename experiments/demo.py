"""The main job from nothing to preferences, on this machine alone: `make demo`.

Runs the entry points in their order, each in a process of its own as a user would start them, and reads what they
wrote. Worlds and student are cached, so a second run only plays and evaluates.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

TASKS = 150
"""Held-out tasks that are played with the expert, and again without."""


class Stage(NamedTuple):
    """One command of the demo."""

    title: str
    entry: str
    arguments: tuple[str, ...] = ()


def main() -> int:
    """Runs every stage; the exit code of the first that fails."""
    folder = Path("outputs/demo") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    held_out = ("tasks.split=test", f"tasks.limit={TASKS}")
    stages = (
        Stage("worlds: real tables and texts, tasks with executed gold", "prepare"),
        Stage("self-check: is the environment fair?", "doctor", (place(folder / "doctor"),)),
        Stage("the tiny student, from scratch on gold trajectories", "train", (place(folder / "train"),)),
        Stage(
            "an informed expert corrects it on held-out tasks, alternates kept",
            "rollout",
            ("experiment=informed_alternates", *held_out, place(folder / "informed")),
        ),
        Stage("the student alone on the same tasks", "eval", (*held_out, place(folder / "alone"))),
    )
    for number, stage in enumerate(stages, 1):
        code = run(stage, f"{number}/{len(stages)}")
        if code:
            return code
    show(folder)
    return 0


def place(folder: Path) -> str:
    """The override that makes a run write to a folder."""
    return f"hydra.run.dir={folder}"


def run(stage: Stage, number: str) -> int:
    """Runs a stage and says what it cost; its exit code."""
    command = [sys.executable, "-m", f"agentbench.{stage.entry}", *stage.arguments]
    print(f"\n[{number}] {stage.title}\n$ python {' '.join(command[1:])}", flush=True)
    wall, cpu = time.monotonic(), cpu_seconds()
    code = subprocess.run(command, check=False).returncode
    print(f"({cpu_seconds() - cpu:.0f} CPU-seconds, {time.monotonic() - wall:.0f} s)", flush=True)
    return code


def cpu_seconds() -> float:
    """CPU time of all finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(folder: Path) -> None:
    """What came out, and where it lies."""
    helped, alone = (json.loads((folder / name / "summary.json").read_bytes()) for name in ("informed", "alone"))
    tracker = helped["expert_assistance"]["tracker"]
    table = Table(title="\nWhat came out", title_justify="left", show_header=False)
    table.add_row("success without expert", percent_of(alone["success"]))
    table.add_row("success with informed expert", percent_of(helped["success"]))
    table.add_row("expert's share of the steps", f"{100 * tracker['expert_share']:.1f} %")
    table.add_row("step preferences", str(helped["step_preferences"]))
    table.add_row("trajectories with alternates", str(folder / "informed" / "trajectories.jsonl"))
    table.add_row("trajectories without expert", str(folder / "alone" / "trajectories.jsonl"))
    table.add_row("worlds and student", "outputs/cache")
    table.add_row("CPU time", f"{cpu_seconds() / 60:.1f} minutes")
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def percent_of(rate: dict[str, Any]) -> str:
    """A success rate with its 95 % interval."""
    low, high = 100 * rate["low"], 100 * rate["high"]
    return f"{100 * rate['rate']:.1f} % ({rate['count']} of {rate['n']}; 95 % interval {low:.1f} – {high:.1f} %)"


if __name__ == "__main__":
    sys.exit(main())
