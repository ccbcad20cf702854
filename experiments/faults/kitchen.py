"""What the smallest runs read, made once: a world, a student, gold and mixed trajectories, rows, an evaluation.

The student has random weights: what it says is nonsense, and no fault cares.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from experiments.faults.children import Child, entry_command
from experiments.faults.model_server import NAME, model_server

TASKS = ("source.domains=[films]", "source.tasks.train=16", "source.tasks.validation=2", "source.tasks.test=24")


class Kitchen(NamedTuple):
    """Where everything lies; runs only read it."""

    folder: Path

    @property
    def world(self) -> Path:
        """Films, with 16 training and 24 test tasks."""
        return self.folder / "world"

    @property
    def student(self) -> Path:
        """A model of some thousand parameters, with its tokenizer."""
        return self.folder / "student"

    @property
    def gold(self) -> Path:
        """Gold trajectories of the training tasks."""
        return self.folder / "gold" / "trajectories.jsonl"

    @property
    def mixed(self) -> Path:
        """Trajectories of student and expert together, with what the other would have done."""
        return self.folder / "mixed" / "trajectories.jsonl"

    @property
    def pairs(self) -> Path:
        """Preferences of steps."""
        return self.folder / "pairs" / "rows.jsonl"

    @property
    def examples(self) -> Path:
        """Supervised rows."""
        return self.folder / "examples" / "rows.jsonl"

    @property
    def evaluated(self) -> Path:
        """The folder of an evaluation."""
        return self.folder / "evaluated"


def kitchen(folder: Path) -> Kitchen:
    """Makes everything that is not there yet, by the commands that a user would type."""
    made = Kitchen(folder)
    if not made.evaluated.is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _cook(made)
    return made


def _cook(made: Kitchen) -> None:
    folder = made.folder
    _run(folder, "prepare", *TASKS, "cache_dir=cache", "hydra.run.dir=prepared")
    (world,) = (folder / "cache" / "worlds").glob("films-*")
    shutil.copytree(world, made.world)
    _must(Child([sys.executable, "-m", "experiments.faults.student", str(folder)], folder))
    world_key, student = f"env.worlds=['{made.world}']", f"model.path='{made.student}'"
    few = ("tasks.limit=8", "tasks.split=train", "env.horizon=3", "model.max_tokens=8")
    _run(folder, "rollout", "experiment=informed_alternates", world_key, student, *few, "hydra.run.dir=mixed")
    read = (f"trajectories=['{made.mixed}']", f"tokenizer='{made.student}'")
    _run(folder, "build_prefs", *read, "hydra.run.dir=pairs")
    gold = (f"trajectories=['{made.gold}']", f"tokenizer='{made.student}'", "prefs=sft", "prefs.source=gold")
    _run(folder, "build_prefs", *gold, "hydra.run.dir=examples")
    with model_server(delay_s=0) as server:
        asked = ("model=openai", f"model.base_url={server.url}", f"model.name={NAME}", world_key)
        _run(folder, "eval", *asked, "hydra.run.dir=evaluated")


def _run(folder: Path, entry: str, *arguments: str) -> None:
    _must(Child(entry_command(entry, *arguments), folder))


def _must(child: Child) -> None:
    ended = child.end()
    if ended.code:
        raise SystemExit(f"{' '.join(child.command)} ended with {ended.code}:\n{ended.err}")
