"""Which training makes a better function caller, and at what cost: the student as it is, LoRA, DPO, GRPO, PPO.

Runs the entry points in order, each in a process of its own as a user would, and compares what came out on the same
test questions: accuracy, latency, training time, memory. A command that has ended well is not run again.

    python experiments/function_call_study.py                 # the tiny student on the embedded questions
    python experiments/function_call_study.py --arms dpo grpo

`function_calls.ipynb` draws the figures, `function_call_study.md` says what came out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from commands import Command, run

from agentbench.episodes.store import TRAJECTORIES
from agentbench.training_data.rows import ROWS

STUDY = Path("outputs/function_call_study")
ARMS = ("lora", "dpo", "grpo", "ppo")
HELD_OUT = 400
"""Test questions, the same for every arm."""
CANDIDATE_TASKS, CANDIDATES = 600, 4
"""Training questions on which the student is sampled, and how often each, for preference pairs."""

ENV = ("env=function_call",)
STUDENT = ("model=hf", f"model.path={STUDY / 'base' / 'model'}", "template=tiny", "agent.max_tokens=80")
"""The weak student as weights like any others."""
EAGER = ("stage.steps=25", "stage.tasks_per_step=16", "stage.temperature=1.0", "stage.learning_rate=5e-4")
"""A higher learning rate than the experiment's own, which the study found to be too high."""
TRAINED: dict[str, tuple[str, ...]] = {
    "lora": ("stage=sft", "lora=lora", f"trajectories=[{STUDY / 'gold' / TRAJECTORIES}]"),
    "dpo": (
        *("stage=dpo", f"rows=[{STUDY / 'pairs' / ROWS}]", "stage.learning_rate=1e-4", "stage.batch_size=32"),
        *("stage.epochs=2", "stage.added_losses=[sft]", "stage.added_weights=[1.0]"),
    ),
    "grpo": ("experiment=function_call_rl", "stage=grpo", *EAGER),
    "ppo": ("experiment=function_call_rl", "stage=ppo", *EAGER),
}


def main() -> int:
    """Runs what has not ended well yet; the exit code of the first command that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    arms: Sequence[str] = parser.parse_args().arms
    for command in commands(arms):
        code = run(command)
        if code:
            return code
    return 0


def commands(arms: Sequence[str]) -> Iterator[Command]:
    """Data and student, the trainings, the tests, the comparison."""
    yield Command(STUDY / "gold", "rollout", (*ENV, "expert_mode=ground_truth", "tasks.split=train"))
    yield Command(STUDY / "base", "train", (*ENV, f"trajectories=[{STUDY / 'gold' / TRAJECTORIES}]"))
    if "dpo" in arms:
        yield from _pairs()
    for arm in arms:
        yield Command(STUDY / arm, "train", (*ENV, *STUDENT, *TRAINED[arm]))
    names = ("base", *arms)
    for name in names:
        yield Command(STUDY / "eval" / name, "eval", (*ENV, *_model(name), f"tasks.limit={HELD_OUT}"))
    compared = ",".join(str(STUDY / "eval" / name) for name in names)
    yield Command(STUDY / "report", "report", (f"compare=[{compared}]",))


def _pairs() -> Iterator[Command]:
    sampled = ("tasks.split=train", f"tasks.limit={CANDIDATE_TASKS}", f"samples={CANDIDATES}", "agent.temperature=1")
    yield Command(STUDY / "candidates", "rollout", (*ENV, *STUDENT, *sampled))
    files = (f"trajectories=[{STUDY / 'candidates' / TRAJECTORIES}]", f"tokenizer={STUDY / 'base' / 'model'}")
    yield Command(STUDY / "pairs", "build_prefs", ("prefs=step", "prefs.source=gold", "agent=calls", *files))


def _model(name: str) -> tuple[str, ...]:
    match name:
        case "base":
            return STUDENT
        case "lora":
            return (*STUDENT, f"model.adapter={STUDY / name / 'adapter'}")
    return tuple(f"model.path={STUDY / name / 'model'}" if each.startswith("model.path=") else each for each in STUDENT)


if __name__ == "__main__":
    sys.exit(main())
