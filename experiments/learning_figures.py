"""The figures of the learning study, from the folders that its commands wrote.

Intervals are at 95 %: Wilson's for one seed, the bootstrap over tasks for all seeds together, because three students on
one task are less than three tasks. They speak of other tasks for these students; how far students of other seeds
would differ is seen in the single seeds' columns alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentbench.episodes.rates import clustered_rate, rate
from agentbench.episodes.store import TRAJECTORIES
from agentbench.reporting.paired import Pair, PairedDifference, paired_difference
from agentbench.training_data.rows import ROWS

ARMS = {
    "base": "base: a short SFT on gold",
    "sft": "SFT on more gold",
    "step": "DPO, step",
    "trajectory": "DPO, trajectory",
    "unmasked": "DPO, trajectory, unmasked",
    "both": "DPO, step and trajectory",
    "corrected": "SFT on corrected trajectories",
    "equal_informed": "DPO, step, informed, equal budget",
    "equal_random": "DPO, step, random, equal budget",
    "gold": "SFT on gold of the same tasks",
}
"""Arms by the name of their folder."""
CONTRASTS = (
    ("base", "sft"),
    ("sft", "step"),
    ("sft", "trajectory"),
    ("sft", "both"),
    ("sft", "corrected"),
    ("sft", "gold"),
    ("unmasked", "trajectory"),
    ("step", "both"),
    ("equal_random", "equal_informed"),
)
"""What is compared with what: the second less the first."""

Solved = dict[str, bool]
"""By task."""


class Cost(NamedTuple):
    """What an arm was taught with, mean over seeds."""

    labels: float
    """Steps for which the expert said what to do."""
    rows: float
    """Pairs or examples; 0 where trajectories were trained on as they are."""


def print_figures(study: Path, seeds: Sequence[int]) -> None:
    """Tables in Markdown of all arms that every seed has finished."""
    folders = [study / f"seed_{seed}" for seed in seeds]
    solved = {arm: [_solved(folder / f"{arm}_eval") for folder in folders] for arm in ARMS}
    finished = {arm: runs for arm, runs in solved.items() if all(runs)}
    print(f"\n| arm |{''.join(f' seed {seed} |' for seed in seeds)} all | labels | rows |")
    print(f"|---|{'---|' * len(seeds)}---|--:|--:|")
    costs = {arm: cost(folders, arm) for arm in finished}
    for arm, runs in finished.items():
        each = " | ".join(_percent(rate(sum(run.values()), len(run))) for run in runs)
        print(f"| {ARMS[arm]} | {each} | {_percent(clustered_rate(_by_task(runs)))} | {_numbers(costs[arm])} |")
    _print_contrasts(finished, costs)
    _print_steps(folders, finished)


def _print_contrasts(finished: Mapping[str, list[Solved]], costs: Mapping[str, Cost]) -> None:
    print("\n| difference, paired by task | points | p | points per 1,000 labels |\n|---|---|--:|--:|")
    for first, second in CONTRASTS:
        if first in finished and second in finished:
            found = difference(finished[first], finished[second])
            labels = costs[second].labels if first in ("base", "sft") else 0
            gain = f"{1e5 * found.value / labels:+.1f}" if labels else ""
            points = f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
            print(f"| {ARMS[second]} − {ARMS[first]} | {points} | {found.p:.3f} | {gain} |")


def _print_steps(folders: Sequence[Path], finished: Mapping[str, list[Solved]]) -> None:
    """What kinds of steps the students take on the test tasks, all seeds together."""
    counts = {arm: _step_categories(folders, arm) for arm in finished}
    kinds = sorted({kind for each in counts.values() for kind in each})
    print(f"\n| steps on the test tasks | {' | '.join(kinds)} |\n|---|{'--:|' * len(kinds)}")
    for arm, each in counts.items():
        print(f"| {ARMS[arm]} | {' | '.join(str(each[kind]) for kind in kinds)} |")


def difference(first: Sequence[Solved], second: Sequence[Solved]) -> PairedDifference:
    """The second arm's success less the first's on the same tasks, all seeds together."""
    ours, theirs = dict(_counts(first)), dict(_counts(second))
    return paired_difference([Pair(ours[task], theirs[task]) for task in sorted(ours)])


def cost(folders: Sequence[Path], arm: str) -> Cost:
    """What the expert had to say for an arm, beyond what the student before it was taught with."""
    labels = [_labels(folder, arm) for folder in folders]
    rows = [_count(folder / f"{arm}_rows" / ROWS) for folder in folders]
    if arm == "both":
        rows = [sum(_count(folder / f"{part}_rows" / ROWS) for part in ("step", "trajectory")) for folder in folders]
    return Cost(sum(labels) / len(labels), sum(rows) / len(rows))


def _labels(folder: Path, arm: str) -> int:
    match arm:
        case "base" | "sft":
            return _expert_steps(folder.parent / f"gold_{arm}.jsonl")
        case "step" | "both":
            return _steps(folder / "informed" / TRAJECTORIES)
        case "trajectory" | "unmasked" | "corrected":
            return _expert_steps(folder / "informed" / TRAJECTORIES)
        case "gold":
            return _expert_steps(folder / "gold_instead.jsonl")
        case _:
            return _expert_steps(folder / f"{arm}.jsonl")


def _steps(path: Path) -> int:
    """The expert was asked at every step, also where the agent's own was taken."""
    return sum(len(episode["history"]["steps"]) for episode in _read(path))


def _expert_steps(path: Path) -> int:
    steps = (step for episode in _read(path) for step in episode["history"]["steps"])
    return sum(step["decision"]["actor"] == "expert" for step in steps)


def _solved(folder: Path) -> Solved:
    """By task; empty where there is no finished evaluation."""
    if not (folder / "summary.json").is_file():
        return {}
    return {episode["task"]["id"]: _success(episode) for episode in _read(folder / TRAJECTORIES)}


def _success(episode: Mapping[str, Any]) -> bool:
    return any(score["name"] == "answer" and score["value"] == 1.0 for score in episode["scores"])


def _step_categories(folders: Sequence[Path], arm: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for folder in folders:
        counts.update(orjson.loads((folder / f"{arm}_eval" / "summary.json").read_bytes())["step_categories"])
    return counts


def _counts(runs: Sequence[Solved]) -> dict[str, tuple[int, int]]:
    """By task: solved and played episodes of all seeds."""
    return {task: (sum(run[task] for run in runs), len(runs)) for task in runs[0]}


def _by_task(runs: Sequence[Solved]) -> list[tuple[int, int]]:
    return list(_counts(runs).values())


def _percent(value: Any) -> str:
    return f"{100 * value.rate:.1f} ({100 * value.low:.1f}–{100 * value.high:.1f})"


def _numbers(value: Cost) -> str:
    return f"{value.labels:,.0f} | {f'{value.rows:,.0f}' if value.rows else ''}"


def _count(path: Path) -> int:
    return len(path.read_bytes().splitlines()) if path.is_file() else 0


def _read(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]
