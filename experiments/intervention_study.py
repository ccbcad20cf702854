"""What is an expert's step worth, and when does imitating the expert stop working? `make study-intervention`.

Two questions, on the students of the learning study (`make study-learning` makes them; run it first), three seeds, the
same 300 test tasks:

- Budget: the student beside an expert that steps in at random, informed by an overseer, or at once, with at most 1, 2
  or 4 steps per episode; success against the expert's steps.
- Horizon: a student that imitated the expert's own trajectories against one that imitated the expert's corrections of
  its own episodes, as many expert steps each, at horizons from 2 to 32. Decoding is greedy and the worlds answer alike,
  so an episode at a shorter horizon is the beginning of the longer one: one run at 32 tells all horizons exactly.

`intervention_study.md` says what came out. A command that ended well is not run again; `--figures` only prints.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from commands import Command, run
from learning_study import HELD_OUT, SCENARIO, SEEDS
from learning_study import STUDY as STUDENTS

from agentbench.episodes.rates import clustered_rate
from agentbench.episodes.store import TRAJECTORIES
from agentbench.reporting.paired import Pair, paired_difference

STUDY = Path("outputs/intervention_study")
BUDGETS = (1, 2, 4)
MODES = {
    "random": ("expert_mode=random", "expert_mode.probability=0.3"),
    "informed": ("expert_mode=informed",),
    "always": ("expert_mode=ground_truth",),
}
HORIZONS = (2, 3, 4, 6, 8, 16, 32)
IMITATORS = {
    "sft": "the student before",
    "gold": "imitates the expert's own trajectories",
    "corrected": "imitates the expert's corrections of its own episodes",
}
"""Students by the name of their folder in the learning study."""

Episode = Mapping[str, Any]


class Arm(NamedTuple):
    """Episodes of one setting, of every seed."""

    name: str
    runs: Sequence[Sequence[Episode]]

    @property
    def expert_steps(self) -> float:
        """Per episode."""
        taken = [expert_steps(episode) for episodes in self.runs for episode in episodes]
        return sum(taken) / len(taken)

    def by_task(self, horizon: int | None = None) -> dict[str, tuple[int, int]]:
        """Solved and played episodes of every task; solved within a horizon where there is one."""
        counts: dict[str, tuple[int, int]] = {}
        for episode in (episode for episodes in self.runs for episode in episodes):
            solved, played = counts.get(episode["task"]["id"], (0, 0))
            counts[episode["task"]["id"]] = (solved + _solved(episode, horizon), played + 1)
        return counts


def main() -> int:
    """Runs what is missing, then prints the figures; the exit code of the first command that fails."""
    parser = argparse.ArgumentParser(description="Budgets and horizons; a finished command is not run again.")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--figures", action="store_true", help="only work out the figures of what is there")
    wanted = parser.parse_args()
    if not wanted.figures:
        for seed in wanted.seeds:
            for command in (*budgets(seed), *horizons(seed)):
                code = run(command)
                if code:
                    return code
    print_budgets(wanted.seeds)
    print_horizons(wanted.seeds)
    return 0


def budgets(seed: int) -> Iterator[Command]:
    """The student alone, and with every kind of expert at every budget."""
    yield _episodes(seed, "sft", "none", "env.horizon=8")
    for mode, settings in MODES.items():
        for budget in BUDGETS:
            given = (*settings, f"expert_mode.budget={budget}", f"seed={seed}")
            yield _episodes(seed, "sft", f"{mode}_{budget}", "env.horizon=8", *given)


def horizons(seed: int) -> Iterator[Command]:
    """Each imitator at the longest horizon."""
    for student in IMITATORS:
        yield _episodes(seed, student, f"horizon_{student}", f"env.horizon={HORIZONS[-1]}")


def _episodes(seed: int, student: str, name: str, *settings: str) -> Command:
    """A student on the test tasks, greedy; an entry point that allows an expert."""
    model = ("model=tiny", f"model.path={STUDENTS}/seed_{seed}/{student}/model", "model.max_batch=16")
    tasks = (SCENARIO, "tasks.split=test", f"tasks.limit={HELD_OUT}", "episode_timeout_s=7200")
    return Command(STUDY / f"seed_{seed}" / name, "eval", (*model, *tasks, "baselines=false", *settings))


def print_budgets(seeds: Sequence[int]) -> None:
    """Success against the expert's steps."""
    alone = _arm("none", seeds)
    print(
        "\n| expert | most steps | steps taken per episode | success | more than alone, paired |\n|---|--:|--:|---|---|"
    )
    print(f"| none | 0 | 0 | {_percent(alone.by_task())} | |")
    for mode in MODES:
        for budget in BUDGETS:
            arm = _arm(f"{mode}_{budget}", seeds)
            cells = (mode, str(budget), f"{arm.expert_steps:.2f}", _percent(arm.by_task()), _more(alone, arm))
            print(f"| {' | '.join(cells)} |")


def print_horizons(seeds: Sequence[int]) -> None:
    """Success of the imitators at every horizon, and how they differ."""
    arms = {student: _arm(f"horizon_{student}", seeds) for student in IMITATORS}
    print(f"\n| horizon | {' | '.join(IMITATORS.values())} | corrections − trajectories, paired |")
    print("|--:|---|---|---|---|")
    for horizon in HORIZONS:
        cells = [_percent(arm.by_task(horizon)) for arm in arms.values()]
        print(f"| {horizon} | {' | '.join(cells)} | {_more(arms['gold'], arms['corrected'], horizon)} |")


def expert_steps(episode: Episode) -> int:
    """Steps of an episode that the expert took."""
    return sum(step["decision"]["actor"] == "expert" for step in episode["history"]["steps"])


def _solved(episode: Episode, horizon: int | None) -> bool:
    in_time = horizon is None or len(episode["history"]["steps"]) <= horizon
    return in_time and any(score["name"] == "answer" and score["value"] == 1.0 for score in episode["scores"])


def _arm(name: str, seeds: Sequence[int]) -> Arm:
    paths = [STUDY / f"seed_{seed}" / name / TRAJECTORIES for seed in seeds]
    return Arm(name, [[orjson.loads(line) for line in path.read_bytes().splitlines()] for path in paths])


def _percent(counts: Mapping[str, tuple[int, int]]) -> str:
    found: Any = clustered_rate(list(counts.values()))
    return f"{100 * found.rate:.1f} ({100 * found.low:.1f}–{100 * found.high:.1f})"


def _more(first: Arm, second: Arm, horizon: int | None = None) -> str:
    ours, theirs = first.by_task(horizon), second.by_task(horizon)
    found = paired_difference([Pair(ours[task], theirs[task]) for task in sorted(ours)])
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


if __name__ == "__main__":
    sys.exit(main())
