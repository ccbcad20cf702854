"""Does what an expert does beside an agent improve the agent, and by how much per labelled step? `make study-learning`.

Runs the entry points in order, each in a process of its own as a user would, for three seeds of the student: base →
SFT → DPO on steps, on trajectories, on both, and what they are compared with. A command that has ended well is not run
again, so an interrupted study goes on where it was. `learning_study.md` says what came out, `learning_figures.py`
works it out. `--seeds 1` plays one seed, so that several machines or processes can share the work.

Nothing is chosen by the test tasks. `learning_study.md` says where the settings below come from.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
from commands import Command, run
from learning_figures import print_figures

from agentbench.episodes.store import TRAJECTORIES
from agentbench.training_data.rows import ROWS

STUDY = Path("outputs/learning_study")
SEEDS = (0, 1, 2)
SCENARIO = "env.scenario=api"
"""Questions that the tools over the database answer: the narrowest setting, which so small a student can learn."""
HELD_OUT = 300
"""Test tasks, the same for every arm and seed; their entities and question templates are in no training task."""
GOLD_BASE, GOLD_SFT = 1_000, 2_500
"""Gold trajectories that the base student and then SFT learn from. The expert's tasks are others."""
EXPERT_TASKS = 1_760
"""Tasks of the training split, unknown to the student, on which an expert stands beside it."""

DPO = (
    "stage=dpo",
    "stage.learning_rate=1e-4",
    "stage.batch_size=64",
    "stage.added_losses=[sft]",
    "stage.added_weights=[10.0]",
)
SFT = ("stage=sft", "stage.learning_rate=5e-4", "stage.epochs=2")
LAST = "trainer.checkpoint_every=null"
EPISODES = ("env.horizon=8", "model.max_batch=16", "episode_timeout_s=7200")
"""Gold takes six steps at most. A student that lists everything again and again has prompts of thousands of tokens, to
which a batch is padded; and a busy machine is no reason to count an episode as failed."""


def main() -> int:
    """Runs what is missing, then prints the figures; the exit code of the first command that fails."""
    parser = argparse.ArgumentParser(description="The learning study; a finished command is not run again.")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument(
        "--arms", nargs="+", help="only these ways on from the SFT student, by the names of their folders"
    )
    parser.add_argument("--figures", action="store_true", help="only work out the figures of what is there")
    wanted = parser.parse_args()
    if not wanted.figures:
        code = run(Command(STUDY / "gold", "rollout", ("expert_mode=ground_truth", SCENARIO, "tasks.split=train")))
        if code:
            return code
        share_out_gold()
        for seed in wanted.seeds:
            code = study(seed, wanted.arms)
            if code:
                return code
    print_figures(STUDY, wanted.seeds)
    return 0


def study(seed: int, only: Sequence[str] | None) -> int:
    """All arms of one seed, or some; the exit code of the first command that fails."""
    here = STUDY / f"seed_{seed}"
    for group in (students, experts, preferences, arms):
        for command in group(here, seed):
            left_out = only and group is arms and command.folder.name.removesuffix("_eval") not in only
            code = 0 if left_out else run(command)
            if code:
                return code
        if group is experts:
            spend_equally(here)
        elif group is preferences:
            write_unmasked(here / "trajectory", here / "unmasked")
    return 0


def students(here: Path, seed: int) -> Iterator[Command]:
    """The base student from nothing, and SFT on top of it."""
    yield Command(here / "base", "train", (f"trajectories=[{STUDY}/gold_base.jsonl]", f"seed={seed}"))
    more = ("model=tiny", f"model.path={here}/base/model", f"trajectories=[{STUDY}/gold_sft.jsonl]", f"seed={seed}")
    yield Command(here / "sft", "train", (*more, "stage=sft", LAST))
    for student in ("base", "sft"):
        yield evaluation(here, student)


def experts(here: Path, seed: int) -> Iterator[Command]:
    """The student on new tasks: alone, with an informed expert, and with one that steps in at random."""
    tasks = ("tasks.split=train", f"tasks.file={STUDY}/expert_tasks.jsonl", f"tasks.limit={EXPERT_TASKS}")
    agent = ("model=tiny", f"model.path={here}/sft/model", f"seed={seed}", *EPISODES, *tasks)
    random_expert = ("expert_mode=random", "expert_mode.probability=0.3", "expert_mode.save_alternate_trace=true")
    yield Command(here / "alone", "rollout", agent)
    yield Command(here / "informed", "rollout", ("experiment=informed_alternates", *agent))
    yield Command(here / "random", "rollout", (*random_expert, *agent))


def preferences(here: Path, seed: int) -> Iterator[Command]:
    """Rows of each kind; those named `equal_…` hold the same number of interventions and nothing beside them."""
    build = (f"tokenizer={here}/sft/model", f"seed={seed}")

    def rows(name: str, source: str, *settings: str) -> Command:
        taken = f"trajectories=[{here}/{source}]"
        return Command(here / f"{name}_rows", "build_prefs", (taken, *build, *settings))

    yield rows("step", f"informed/{TRAJECTORIES}", "prefs=step")
    against = f"against=[{here}/alone/{TRAJECTORIES}]"
    yield rows("trajectory", f"informed/{TRAJECTORIES}", "prefs=trajectory", against)
    yield rows("corrected", f"informed/{TRAJECTORIES}", "prefs=sft")
    for mode in ("informed", "random"):
        yield rows(f"equal_{mode}", f"equal_{mode}.jsonl", "prefs=step", "prefs.only_interventions=true")


def arms(here: Path, seed: int) -> Iterator[Command]:
    """Every way to go on from the SFT student, and its success on the test tasks."""
    given = ("model=hf", f"model.path={here}/sft/model", "template=tiny", f"seed={seed}", LAST)

    def train(name: str, stage: Iterable[str], *rows: str) -> Iterator[Command]:
        files = ",".join(f"{here}/{row}_rows/{ROWS}" for row in rows)
        yield Command(here / name, "train", (*given, *stage, f"rows=[{files}]"))
        yield evaluation(here, name)

    for name in ("step", "trajectory", "unmasked", "equal_informed", "equal_random"):
        yield from train(name, DPO, name)
    yield from train("both", DPO, "step", "trajectory")
    yield from train("corrected", SFT, "corrected")
    gold = f"trajectories=[{here}/gold_instead.jsonl]"
    yield Command(here / "gold", "train", (*given, *SFT, gold))
    yield evaluation(here, "gold")


def evaluation(here: Path, student: str) -> Command:
    """A student alone on the test tasks, greedy; the order of tasks and their choice are the same for all."""
    model = ("model=tiny", f"model.path={here}/{student}/model")
    tasks = (SCENARIO, "tasks.split=test", f"tasks.limit={HELD_OUT}", *EPISODES)
    return Command(here / f"{student}_eval", "eval", (*model, *tasks))


def share_out_gold() -> None:
    """Gold trajectories for the base student and for SFT, and the tasks of the rest for the experts."""
    gold = _lines(STUDY / "gold" / TRAJECTORIES)
    random.Random(0).shuffle(gold)
    learnt = GOLD_BASE + GOLD_SFT
    _write(STUDY / "gold_base.jsonl", gold[:GOLD_BASE])
    _write(STUDY / "gold_sft.jsonl", gold[GOLD_BASE:learnt])
    _write(STUDY / "gold_rest.jsonl", gold[learnt:])
    tasks = (orjson.dumps(orjson.loads(line)["task"]) + b"\n" for line in gold[learnt:])
    _write(STUDY / "expert_tasks.jsonl", tasks)


def spend_equally(here: Path) -> None:
    """Episodes with as many expert steps of either mode, and gold ones of the same tasks with as many."""
    modes = {mode: _episodes(here / mode / TRAJECTORIES) for mode in ("informed", "random")}
    budget = min(sum(expert_steps(episode) for episode in episodes) for episodes in modes.values())
    for mode, episodes in modes.items():
        _write(here / f"equal_{mode}.jsonl", map(orjson.dumps, _worth(episodes, budget)))
    played = {episode["task"]["id"] for episode in modes["informed"]}
    gold = [episode for episode in _episodes(STUDY / "gold_rest.jsonl") if episode["task"]["id"] in played]
    _write(here / "gold_instead.jsonl", map(orjson.dumps, _worth(gold, budget)))


def expert_steps(episode: dict[str, Any]) -> int:
    """Steps of an episode that the expert took."""
    return sum(step["decision"]["actor"] == "expert" for step in episode["history"]["steps"])


def write_unmasked(masked: Path, unmasked: Path) -> None:
    """The same rows with the loss on every token of a completion, tool results included, as a stock collator has it."""
    source, target = masked.with_name(f"{masked.name}_rows"), unmasked.with_name(f"{unmasked.name}_rows")
    target.mkdir(exist_ok=True)
    rows = [orjson.loads(line) for line in _lines(source / ROWS)]
    for row in rows:
        for side in ("chosen", "rejected"):
            row[f"{side}_mask"] = [1] * len(row[f"{side}_ids"])
    _write(target / ROWS, map(orjson.dumps, rows))


def _worth(episodes: list[dict[str, Any]], budget: int) -> Iterator[dict[str, Any]]:
    """Episodes, in an order that does not depend on how long they took, until the expert's steps are spent."""
    random.Random(0).shuffle(episodes)
    spent = 0
    for episode in episodes:
        spent += expert_steps(episode)
        if spent > budget:
            return
        yield episode


def _episodes(path: Path) -> list[dict[str, Any]]:
    return sorted((orjson.loads(line) for line in _lines(path)), key=lambda episode: episode["task"]["id"])


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """What is there already stays as old as it is."""
    wanted = b"".join(line.rstrip(b"\n") + b"\n" for line in lines)
    if not path.is_file() or path.read_bytes() != wanted:
        path.write_bytes(wanted)


if __name__ == "__main__":
    sys.exit(main())
