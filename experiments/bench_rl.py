"""What does a GRPO step cost? Rollout and training, TRL's own environment loop against ours, same student and tasks.

    python experiments/bench_rl.py            (or: make bench-rl; some minutes of one core)
    python experiments/bench_rl.py --quick    (a quarter of the episodes, two steps)

The tiny student plays groups of episodes in the embedded worlds and takes one optimizer step on them. Without --model
it is the one that `make demo` uses, and is trained first where it is not there (some minutes, once). Three
contestants, each a process of its own with one thread, take turns step by step:

- stock: trl.GRPOTrainer with `environment_factory`; its environment hands every call to ours (see stock_rl.py);
- plain: agentbench's stage=grpo with tree=false;
- tree: the same as it is by default, all rows in one packed forward pass.

Loss, optimizer, temperature, horizon, longest completion, worlds, rewards, float32 and the tasks of each step are the
same; TRL's and the plain trainer make forward passes of as many rows. What differs is the loop: TRL's plays all
episodes in lockstep, computes each turn's whole prompt anew, makes schemas of its tools for every prompt, and trains on
rows in mixed order, all their completion tokens in the output projection; ours goes on with what was computed, lets an
episode's next turn begin while others still write, keeps rows of a task together, and also writes each episode to disk
(stock and plain therefore differ in padding too). Groups whose episodes all earned the same stay in (by default ours
leaves them out), and tasks with several user turns are left out, which TRL's loop cannot play.

Printed are medians over steps of CPU seconds, with the least and the most, what they come to per 1,000 sampled tokens,
and the peak of memory above that before the first step, which is apart: it holds what is done once. Prompt tokens
"computed again" are those that the model had computed before in the same episode. Exit code 6 where the contestants
were not given the same: other prompts, a loss that is not finite, or tokens per episode more than 25 % apart. Linux
only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from measuring import heading
from rl_contest import CACHE, Size, config_of, contest, task_file
from rl_meter import Taken

VARIANTS = ("stock", "plain", "tree")
APART = 0.25
"""Relative difference of sampled tokens per episode beyond which rollouts are not compared."""


FULL = Size(rounds=5, tasks=8, group=8)
QUICK = Size(rounds=2, tasks=4, group=4)


def main() -> None:
    """Runs the contestants in turns and prints what they took; exit code 6 where they were not given the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer episodes and steps")
    parser.add_argument("--rounds", type=int, help="steps of each contestant")
    parser.add_argument("--model", type=Path, help="folder of a tiny student")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        contest(json.loads(asked.child))
        return
    size = QUICK if asked.quick else FULL
    size = size._replace(rounds=asked.rounds or size.rounds)
    print(heading(" ".join(["python", *sys.argv])))
    with tempfile.TemporaryDirectory() as folder:
        order = {"size": size._asdict(), "folder": folder, "model": str(_student(asked.model, size))}
        _write_tasks(size, Path(folder))
        steps = _taken(order, size.rounds)
    sys.exit(0 if _report(steps, size) or asked.quick else 6)


def _student(given: Path | None, size: Size) -> Path:
    """The folder of the student; the usual one where none is named."""
    from agentbench.build.training import weights
    from agentbench.config.model import TinyModel

    config = dataclasses.replace(config_of(size, "", Path()), model=TinyModel(path=given))
    return Path(weights(config, print).path)


def _write_tasks(size: Size, folder: Path) -> None:
    """The training tasks of one user turn, as many from each world as all steps need."""
    from agentbench.build import WORLD_SEED
    from agentbench.build.fields.opening import open_field
    from agentbench.config.tasks import Split, TasksConfig
    from agentbench.tasks.files import write_tasks

    config = config_of(size, "", folder)
    tasks = TasksConfig(split=Split.TRAIN, limit=3 * size.tasks * (size.rounds + 1))
    field = open_field(config.env, config.retriever, tasks, cache_dir=CACHE, seed=WORLD_SEED, report=print)
    write_tasks(task_file(folder), [task for task in field.tasks if len(task.turns) == 1])


def _taken(order: dict[str, Any], rounds: int) -> dict[str, list[Taken]]:
    """Every contestant's steps, taken in turns."""
    with ExitStack() as stack:
        asks = {name: stack.enter_context(_contestant(order | {"variant": name})) for name in VARIANTS}
        steps: dict[str, list[Taken]] = {name: [] for name in VARIANTS}
        for _ in range(rounds + 1):
            for name, ask in asks.items():
                steps[name].append(ask())
    return steps


@contextmanager
def _contestant(order: dict[str, Any]) -> Iterator[Callable[[], Taken]]:
    """A process that takes one step whenever it is asked to."""
    command = [sys.executable, __file__, "--child", json.dumps(order)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TRL_EXPERIMENTAL_SILENCE": "1", "HF_HUB_OFFLINE": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        assert process.stdin is not None and process.stdout is not None
        asking, answering = process.stdin, process.stdout

        def ask() -> Taken:
            asking.write("go\n")
            asking.flush()
            for line in answering:
                if line.startswith('{"rollout_s"'):
                    return Taken(**json.loads(line))
            raise SystemExit(f"{order['variant']} ended with {process.wait()}")

        yield ask
        asking.close()


def _report(steps: dict[str, list[Taken]], size: Size) -> bool:
    """Prints the comparison; whether it was a fair one."""
    each = f"{size.tasks} tasks × {size.group} episodes a step, horizon {size.horizon}"
    print(f"\n{each}, at most {size.max_tokens} tokens a reply, n = {size.rounds} steps; CPU-s: median (least – most)")
    print(f"{'':6} {'rollout':>20} {'training':>20} {'step':>20} {'first step':>10} {'extra MB':>9}")
    for name, taken in steps.items():
        rest, first = taken[1:], taken[0]
        columns = [_spread([one.rollout_s for one in rest]), _spread([one.training_s for one in rest])]
        columns.append(_spread([one.rollout_s + one.training_s for one in rest]))
        once = first.rollout_s + first.training_s
        cells = " ".join(f"{column:>20}" for column in columns)
        print(f"{name:6} {cells} {once:10.2f} {taken[-1].extra_mb:9,.0f}")
    print(
        f"\n{'':6} {'tokens sampled':>15} {'per episode':>12} {'turns':>6} {'success':>8} {'CPU-s per 1,000':>16} ",
        end="",
    )
    print(f"{'in the model':>13} {'prompt tokens':>14} {'again':>7}")
    for name, taken in steps.items():
        print(_rollouts(name, taken[1:]))
    print("\nhow many times as much CPU time:")
    for peer, other in (("stock", "tree"), ("stock", "plain"), ("plain", "tree")):
        print(f"  {peer:5} against {other:5}  {_times(steps, peer, other)}")
    return _is_fair(steps)


def _rollouts(name: str, taken: Sequence[Taken]) -> str:
    """A line about what was played, over all steps."""
    episodes, sampled = sum(one.episodes for one in taken), sum(one.sampled for one in taken)
    rollout, model = (1000 * sum(seconds) / sampled for seconds in zip(*(one[:2] for one in taken), strict=True))
    computed, needed = sum(one.computed for one in taken), sum(one.needed for one in taken)
    cells = [
        f"{name:6} {sampled / len(taken):9,.0f} a step {sampled / episodes:12.1f}",
        f"{sum(one.turns for one in taken) / episodes:6.2f} {sum(one.success for one in taken) / episodes:8.1%}",
        f"{rollout:16.2f} {model:13.2f} {computed / len(taken):14,.0f} {max(0.0, 1 - needed / computed):7.1%}",
    ]
    return " ".join(cells)


def _times(steps: dict[str, list[Taken]], peer: str, other: str) -> str:
    """How many times the peer's medians are those of another contestant."""
    kinds: dict[str, Callable[[Taken], float]] = {
        "rollout": lambda one: one.rollout_s,
        "rollout per sampled token": lambda one: one.rollout_s / one.sampled,
        "training": lambda one: one.training_s,
        "training per sampled token": lambda one: one.training_s / one.sampled,
        "step": lambda one: one.rollout_s + one.training_s,
        "step per sampled token": lambda one: (one.rollout_s + one.training_s) / one.sampled,
    }
    middle = {
        kind: [statistics.median(of(one) for one in steps[name][1:]) for name in (peer, other)]
        for kind, of in kinds.items()
    }
    return ", ".join(f"{kind} {theirs / ours:.2f}" for kind, (theirs, ours) in middle.items())


def _is_fair(steps: dict[str, list[Taken]]) -> bool:
    """Whether the contestants had the same to do; says what is not the same."""
    same = all(len({one.prompts for one in turn}) == 1 for turn in zip(*steps.values(), strict=True))
    finite = all(math.isfinite(one.loss + one.grad_norm) for taken in steps.values() for one in taken)
    each = [sum(one.sampled for one in taken) / sum(one.episodes for one in taken) for taken in steps.values()]
    apart = max(each) / min(each) - 1
    print(f"the same prompts at every step: {'yes' if same else 'NO'}; losses and gradients finite: ", end="")
    print(f"{'yes' if finite else 'NO'}; tokens per episode at most {apart:.1%} apart", flush=True)
    return same and finite and apart <= APART


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} – {max(values):.2f})"


if __name__ == "__main__":
    main()
