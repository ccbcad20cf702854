"""Does success alone, as a reward, make a better function caller, and does DPO before it help?

The rewards are those that `rl_study.py` found best for the main job, `stage.step_reward=0`. Every seed has its own
students and its own split of the embedded questions, none of them that of `function_call_study.py`, and settings were
chosen on validation questions of seed 1. `function_call_study.md` says what came out.

    python experiments/function_call_rewards.py --seeds 1
    python experiments/function_call_rewards.py --figures      # only what there is

A command that has ended well is not run again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import orjson
from commands import Command, run

from agentbench.episodes.rates import Rate, clustered_rate, rate
from agentbench.episodes.store import TRAJECTORIES
from agentbench.reporting.paired import Pair, paired_difference
from agentbench.training_data.rows import ROWS

STUDY = Path("outputs/function_call_rewards")
SEEDS = (1, 2, 3)
STEPS, EVERY, VALIDATION = 20, 10, 200
"""Rollouts; how many come between two evaluations on so many validation questions."""
CANDIDATE_TASKS, CANDIDATES = 600, 4
"""Training questions on which the student is sampled, and how often each, for preference pairs."""
TUNED = ("model=hf", "template=tiny", "agent.max_tokens=80", "trainer.checkpoint_every=null")
SUCCESS = (
    *("stage=grpo", "stage.loss=grpo", "stage.step_reward=0", "stage.temperature=1.0", "stage.learning_rate=5e-4"),
    *("stage.minibatches=2", "stage.tasks_per_step=32", "stage.group_size=8", f"stage.steps={STEPS}"),
    *(f"stage.evaluate_every={EVERY}", f"evaluate.tasks={VALIDATION}"),
)
DPO = (
    *("stage=dpo", "stage.learning_rate=1e-4", "stage.batch_size=32", "stage.epochs=2"),
    *("stage.added_losses=[sft]", "stage.added_weights=[1.0]"),
)
ARMS = {
    "base": "student",
    "grpo": "GRPO on success",
    "dpo": "DPO",
    "dpo_grpo": "DPO, then GRPO on success",
}
CONTRASTS = (("base", "grpo"), ("base", "dpo"), ("base", "dpo_grpo"), ("dpo", "dpo_grpo"))

Solved = Mapping[str, bool]
"""By task."""


def main() -> int:
    """Runs what has not ended well yet, then prints the figures; the exit code of the first command that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=[*ARMS])
    parser.add_argument("--figures", action="store_true", help="only work out the figures of what is there")
    wanted = parser.parse_args()
    if not wanted.figures:
        for seed in wanted.seeds:
            for command in commands(seed, wanted.arms):
                code = run(command)
                if code:
                    return code
    print_figures(wanted.seeds)
    return 0


def commands(seed: int, arms: Sequence[str]) -> Iterator[Command]:
    """Data and student of a seed, then what its arms need, each with its test."""
    here, given = STUDY / f"seed_{seed}", ("env=function_call", f"env.split_seed={seed}", f"seed={seed}")
    gold = f"trajectories=[{here / 'gold' / TRAJECTORIES}]"
    yield Command(here / "gold", "rollout", (*given, "expert_mode=ground_truth", "tasks.split=train"))
    yield Command(here / "base", "train", (*given, gold))
    for arm in arms:
        start = (*TUNED, f"model.path={here / ('dpo' if arm == 'dpo_grpo' else 'base') / 'model'}")
        match arm:
            case "dpo":
                yield from _pairs(here, (*given, *start[:-2], start[-1]))
                yield Command(here / arm, "train", (*given, *start, *DPO, f"rows=[{here / 'pairs' / ROWS}]"))
            case "grpo" | "dpo_grpo":
                yield Command(here / arm, "train", (*SUCCESS, *given, *start))
            case _:
                pass
        student = (*TUNED[:-1], f"model.path={here / arm / 'model'}", "baselines=false")
        yield Command(here / f"{arm}_eval", "eval", (*given, *student))


def _pairs(here: Path, student: Sequence[str]) -> Iterator[Command]:
    sampled = ("tasks.split=train", f"tasks.limit={CANDIDATE_TASKS}", f"samples={CANDIDATES}", "agent.temperature=1")
    yield Command(here / "candidates", "rollout", (*student, *sampled))
    files = (f"trajectories=[{here / 'candidates' / TRAJECTORIES}]", f"tokenizer={here / 'base' / 'model'}")
    yield Command(here / "pairs", "build_prefs", ("prefs=step", "prefs.source=gold", "agent=calls", *files))


def print_figures(seeds: Sequence[int]) -> None:
    """Tables in Markdown of all arms that every seed has finished, and the learning curves."""
    runs = {arm: [_solved(STUDY / f"seed_{seed}" / f"{arm}_eval") for seed in seeds] for arm in ARMS}
    finished = {arm: found for arm, found in runs.items() if all(found)}
    print(f"\n| |{''.join(f' seed {seed} |' for seed in seeds)} all | CPU-seconds of its training |")
    print(f"|---|{'--:|' * (len(seeds) + 2)}")
    for arm, found in finished.items():
        each = " | ".join(_percent(rate(sum(run.values()), len(run))) for run in found)
        cpu_s = sum(_cpu_seconds(STUDY / f"seed_{seed}" / arm) for seed in seeds) / len(seeds)
        print(f"| {ARMS[arm]} | {each} | {_percent(clustered_rate([*_by_task(found).values()]))} | {cpu_s:.0f} |")
    print("\n| difference, paired by question | points | p |\n|---|---|--:|")
    for first, second in CONTRASTS:
        if first in finished and second in finished:
            ours, theirs = _by_task(finished[first]), _by_task(finished[second])
            found = paired_difference([Pair(ours[task], theirs[task]) for task in sorted(ours)])
            points = f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
            print(f"| {ARMS[second]} − {ARMS[first]} | {points} | {found.p:.3f} |")
    _print_curves([arm for arm in ("grpo", "dpo_grpo") if arm in finished], seeds)


def _print_curves(arms: Sequence[str], seeds: Sequence[int]) -> None:
    print(
        f"\n| success on {VALIDATION} validation questions, rollouts before | seed | {_cells(range(0, STEPS, EVERY))} |"
    )
    print(f"|---|--:|{'--:|' * (STEPS // EVERY)}")
    for arm in arms:
        for seed in seeds:
            lines = map(orjson.loads, (STUDY / f"seed_{seed}" / arm / "metrics.jsonl").read_bytes().splitlines())
            points = [line["held_out_success"] for line in lines if "held_out_success" in line]
            print(f"| {ARMS[arm]} | {seed} | {_cells(f'{100 * point:.1f}' for point in points)} |")


def _cells(values: Iterator[str] | range) -> str:
    return " | ".join(map(str, values))


def _by_task(runs: Sequence[Solved]) -> dict[str, tuple[int, int]]:
    """Solved and played episodes of all seeds; a question may be a test of several."""
    counts: dict[str, tuple[int, int]] = {}
    for run_ in runs:
        for task, solved in run_.items():
            before = counts.get(task, (0, 0))
            counts[task] = (before[0] + solved, before[1] + 1)
    return counts


def _solved(folder: Path) -> dict[str, bool]:
    """By task; empty where there is no finished evaluation."""
    if not (folder / "summary.json").is_file():
        return {}
    episodes = map(orjson.loads, (folder / TRAJECTORIES).read_bytes().splitlines())
    return {
        episode["task"]["id"]: any(score["name"] == "answer" and score["value"] == 1.0 for score in episode["scores"])
        for episode in episodes
    }


def _cpu_seconds(folder: Path) -> float:
    return orjson.loads((folder / "run.json").read_bytes())["cpu_seconds"]


def _percent(value: Rate) -> str:
    return f"{100 * value.rate:.1f} ({100 * value.low:.1f}–{100 * value.high:.1f})" if value.rate is not None else "–"


if __name__ == "__main__":
    sys.exit(main())
