"""Does reinforcement learning in the environment improve a supervised student, at what cost? `make study-rl`.

For three seeds of the learning study's SFT student (`make study-learning` makes them; run it first): GRPO with flat
groups, GRPO on trees of episodes with as many sampled tokens, rounds of rollout and DPO with an expert
(`experiment=expert_iteration`), rounds of rollout and imitation (`experiment=dagger`), and, from the learning study,
one round of step DPO. All learn from tasks that the student has not seen; none of them meets a test task.

Evaluation: 900 test tasks, greedy, from worlds made with more tasks than usual; splits go by entity and question
template, so these hold nothing that was trained on either. `rl_study.md` says what came out and where the settings come
from. A command that ended well is not run again; `--figures` only prints.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from commands import Command, run
from learning_study import SCENARIO, SEEDS
from learning_study import STUDY as STUDENTS

from agentbench.episodes.rates import clustered_rate, rate
from agentbench.episodes.store import TRAJECTORIES
from agentbench.reporting.paired import Pair, PairedDifference, paired_difference

STUDY = Path("outputs/rl_study")
HELD_OUT = 900
VALIDATION = 159
"""All validation tasks of the usual worlds; the learning curves are theirs."""
PREPARE = Command(
    STUDY / "prepare",
    "prepare",
    ("source.tasks.train=100", "source.tasks.validation=450", "source.tasks.test=1000", f"cache_dir={STUDY}/cache"),
)
STEPS = 100
GRPO = (
    *("stage=grpo", "stage.loss=grpo", "stage.step_reward=0", "stage.temperature=0.5", "stage.learning_rate=3e-4"),
    *("stage.minibatches=2", "agent.max_tokens=48", "stage.evaluate_every=20", f"evaluate.tasks={VALIDATION}"),
)
GROUP = {"grpo": 8, "tree": 5}
"""Episodes of a task in one rollout; trees have further ways in them, and sample as many tokens in all."""
TREE = ("env.branching=low_confidence", "env.branches.threshold=-0.03")
ROUNDS = 3
ITERATION = (f"iteration.rounds={ROUNDS}", "iteration.tasks=400", f"evaluate.tasks={VALIDATION}")
ARMS = {
    "sft": "SFT: where all begin",
    "grpo": "GRPO, flat groups",
    "tree": "GRPO, trees",
    "step": "DPO on steps, one round",
    "expert_iteration": "DPO on steps, three rounds",
    "dagger": "imitation of corrected episodes, three rounds",
}
"""By the name of their folder; `sft` and `step` are the learning study's."""


class Cost(NamedTuple):
    """What an arm took beyond the student it began with, mean over seeds."""

    tokens: float
    """Sampled by the student."""
    labels: float
    """Steps that an expert took, or was asked for."""
    cpu_s: float
    """Processor seconds, playing and training."""


def main() -> int:
    """Runs what is missing, then prints the figures; the exit code of the first command that fails."""
    parser = argparse.ArgumentParser(description="The study of reinforcement learning; finished commands are kept.")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=[*ARMS])
    parser.add_argument("--figures", action="store_true", help="only work out the figures of what is there")
    wanted = parser.parse_args()
    if not wanted.figures:
        code = run(PREPARE)
        for arm in wanted.arms:
            for seed in wanted.seeds:
                for command in commands(arm, seed):
                    code = code or run(command)
        if code:
            return code
    print_figures(wanted.seeds)
    return 0


def commands(arm: str, seed: int) -> Iterator[Command]:
    """The training of an arm, where it is one of this study, and its evaluation."""
    here, start = STUDY / f"seed_{seed}", STUDENTS / f"seed_{seed}" / "sft" / "model"
    given = ("model=tiny", f"model.path={start}", SCENARIO, "env.horizon=8", f"seed={seed}")
    played = (*given, f"tasks.file={STUDENTS}/expert_tasks.jsonl", "trainer.checkpoint_every=null")
    match arm:
        case "grpo" | "tree":
            size = ("stage.tasks_per_step=32", f"stage.group_size={GROUP[arm]}", f"stage.steps={STEPS}")
            yield Command(here / arm, "train", (*GRPO, *size, *(TREE if arm == "tree" else ()), *played))
        case "expert_iteration" | "dagger":
            yield Command(here / arm, "train", (f"experiment={arm}", *ITERATION, *played))
        case _:
            pass
    yield Command(here / f"{arm}_eval", "eval", (*_student(arm, seed), SCENARIO, *_tasks()))


def _student(arm: str, seed: int) -> tuple[str, ...]:
    folder = (STUDENTS if arm in ("sft", "step") else STUDY) / f"seed_{seed}" / arm
    last = folder / f"round_{ROUNDS}" / "train" if arm in ("expert_iteration", "dagger") else folder
    return ("model=tiny", f"model.path={last}/model", "model.max_batch=16")


def _tasks() -> tuple[str, ...]:
    worlds = ",".join(f"'{path}'" for path in sorted((STUDY / "cache" / "worlds").iterdir()))
    chosen = ("tasks.split=test", f"tasks.limit={HELD_OUT}", "env.horizon=8", "episode_timeout_s=7200")
    return (f"env.worlds=[{worlds}]", *chosen, "baselines=false")


def print_figures(seeds: Sequence[int]) -> None:
    """Tables in Markdown of all arms that every seed has finished, and the learning curves."""
    runs = {arm: [_solved(STUDY / f"seed_{seed}" / f"{arm}_eval") for seed in seeds] for arm in ARMS}
    finished = {arm: found for arm, found in runs.items() if all(found)}
    _print_success(finished, seeds)
    _print_differences(finished)
    for arm in ("grpo", "tree"):
        if arm in finished:
            _print_curve(arm, seeds)


def _print_success(finished: Mapping[str, list[dict[str, bool]]], seeds: Sequence[int]) -> None:
    columns = "".join(f" seed {seed} |" for seed in seeds)
    print(f"\n| arm |{columns} all | sampled tokens | expert's labels | CPU-minutes |")
    print(f"|---|{'---|' * len(seeds)}---|--:|--:|--:|")
    for arm, found in finished.items():
        each = " | ".join(_percent(rate(sum(solved.values()), len(solved))) for solved in found)
        spent = [cost(arm, seed) for seed in seeds]
        tokens, labels, cpu_s = (sum(values) / len(seeds) for values in zip(*spent, strict=True))
        numbers = f"{tokens:,.0f} | {labels:,.0f} | {cpu_s / 60:.1f}" if arm != "sft" else "| |"
        print(f"| {ARMS[arm]} | {each} | {_percent(clustered_rate([*_by_task(found).values()]))} | {numbers} |")


def _print_differences(finished: Mapping[str, list[dict[str, bool]]]) -> None:
    print("\n| difference to SFT, paired by task | points | p |\n|---|---|--:|")
    pairs = [("sft", arm) for arm in finished if arm != "sft"] + [("grpo", "tree")]
    for first, second in pairs:
        if first in finished and second in finished:
            found = difference(finished[first], finished[second])
            points = f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
            print(f"| {ARMS[second]} − {ARMS[first]} | {points} | {found.p:.3f} |")


def _print_curve(arm: str, seeds: Sequence[int]) -> None:
    """Success on validation tasks over rollouts, all seeds together; each seed's tasks are the same."""
    curves = [_curve(STUDY / f"seed_{seed}" / arm, GROUP[arm]) for seed in seeds]
    print(
        f"\n| {ARMS[arm]}: rollouts before | sampled tokens | validation success, {len(seeds)} × {VALIDATION} tasks |"
    )
    print("|--:|--:|---|")
    for points in zip(*curves, strict=True):
        solved = [round(point[2] * VALIDATION) for point in points]
        tokens = sum(point[1] for point in points) / len(points)
        print(f"| {points[0][0]} | {tokens:,.0f} | {_percent(rate(sum(solved), VALIDATION * len(points)))} |")


def _curve(folder: Path, group: int) -> list[tuple[int, float, float]]:
    """Rollouts and sampled tokens before each evaluation, and its success."""
    tokens = _sampled_tokens(folder, group)
    lines = [line for line in _metrics(folder) if "loss" in line]
    updates = len(lines) // STEPS
    judged = ((index // updates, line["held_out_success"]) for index, line in enumerate(lines) if _is_judged(line))
    points = [(rollouts, float(sum(tokens[:rollouts])), success) for rollouts, success in judged]
    final = orjson.loads((folder / "eval" / "summary.json").read_bytes())["success"]["rate"]
    return [*points, (STEPS, float(sum(tokens)), final)]


def _is_judged(line: Mapping[str, float]) -> bool:
    return "held_out_success" in line


def _sampled_tokens(folder: Path, group: int) -> list[int]:
    """What each rollout sampled, branches and repetitions included."""
    tokens = [0] * STEPS
    with (folder / "rollouts" / TRAJECTORIES).open("rb") as file:
        for episode in map(orjson.loads, file):
            said = _generations(episode["history"]["steps"])
            tokens[episode["sample"] // group] += sum(each["usage"]["completion_tokens"] for each in said)
    return tokens


def _generations(steps: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for step in steps:
        yield from step["decision"]["generations"]
        yield from step.get("duplicates", ())
        for branch in step.get("branches", ()):
            yield from _generations(branch["steps"])


def cost(arm: str, seed: int) -> Cost:
    """What an arm took beyond the student it began with."""
    here = STUDY / f"seed_{seed}" / arm
    match arm:
        case "sft":
            return Cost(0, 0, 0)
        case "grpo" | "tree":
            lines = _metrics(here)
            spent = sum(line.get(name, 0) for line in lines for name in ("rollout_cpu_seconds", "train_cpu_seconds"))
            return Cost(sum(_sampled_tokens(here, GROUP[arm])), 0, spent)
        case "step":
            before = STUDENTS / f"seed_{seed}"
            parts = [before / name for name in ("informed", "step_rows", "step")]
            return _of_expert([before / "informed"], parts, "total_time_steps")
        case _:
            rounds = [here / f"round_{number + 1}" for number in range(ROUNDS)]
            parts = [one / name for one in rounds for name in ("rollout", "prefs", "train")]
            asked = "total_time_steps" if arm == "expert_iteration" else "expert_steps"
            return _of_expert([one / "rollout" for one in rounds], parts, asked)


def _of_expert(played: Sequence[Path], parts: Sequence[Path], asked: str) -> Cost:
    """`asked`: at all steps, where what the expert would have done is kept, or at those that it took."""
    summaries = [orjson.loads((folder / "summary.json").read_bytes()) for folder in played]
    tokens = sum(each["tokens"]["agent"]["completion_tokens"] for each in summaries)
    records = [orjson.loads((part / "run.json").read_bytes()) for part in parts]
    labels = sum({**each, **each["expert_assistance"]["tracker"]}[asked] for each in summaries)
    return Cost(tokens, labels, sum(record["cpu_seconds"] for record in records))


def difference(first: Sequence[dict[str, bool]], second: Sequence[dict[str, bool]]) -> PairedDifference:
    """The second arm's success less the first's on the same tasks, all seeds together."""
    ours, theirs = _by_task(first), _by_task(second)
    return paired_difference([Pair(ours[task], theirs[task]) for task in sorted(ours)])


def _by_task(runs: Sequence[dict[str, bool]]) -> dict[str, tuple[int, int]]:
    """Solved and played episodes of all seeds."""
    return {task: (sum(run[task] for run in runs), len(runs)) for task in runs[0]}


def _solved(folder: Path) -> dict[str, bool]:
    """By task; empty where there is no finished evaluation."""
    if not (folder / "summary.json").is_file():
        return {}
    episodes = map(orjson.loads, (folder / TRAJECTORIES).read_bytes().splitlines())
    return {
        episode["task"]["id"]: any(score["name"] == "answer" and score["value"] == 1.0 for score in episode["scores"])
        for episode in episodes
    }


def _metrics(folder: Path) -> list[dict[str, float]]:
    return [orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]


def _percent(value: Any) -> str:
    return f"{100 * value.rate:.1f} ({100 * value.low:.1f}–{100 * value.high:.1f})"


if __name__ == "__main__":
    sys.exit(main())
