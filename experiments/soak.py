"""Does a long run leak? 20,000 short episodes of `agentbench.rollout` in one process, watched from outside.

    python experiments/soak.py                       (or: make soak; some ten minutes)
    python experiments/soak.py --tasks 100 --samples 5 --timeout 3      500 episodes

The model server, a process of its own, fails every tenth request: 429, 500, no answer, a cut connection, garbage. Every
tenth task's tool raises, never answers or blocks a thread. Memory, open descriptors, threads and children are what
/proc says of the run's process; the number of asyncio tasks is noted by one of its tools.

Prints tables, draws soak.svg with `--plot soak.svg`. Exit code 6 where an episode is missing or stands twice, counts of
faults differ from the server's own, something is left over, or memory grows by more than `MOST_BYTES` an episode.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
from measuring import heading

ROOT = Path(__file__).parents[1]
PARTS = Path(__file__).parent / "soaking"
CONCURRENCY = 128
TOOL_TIMEOUT_S = 1.0
SAMPLED_EVERY_S = 1.0
MOST_BYTES = 2048
"""Growth of memory that is no leak: the summary names every episode, in some hundred bytes each."""
MOST_LEFT = {"descriptors": 2, "threads": 1, "children": 0, "asyncio tasks": 4}
"""By how much the last quarter's median may lie above the second's."""
TOOL = {
    "type": "object",
    "properties": {"number": {"type": "integer"}},
    "required": ["number"],
    "additionalProperties": False,
}


class Sample(NamedTuple):
    """The run's process at one moment."""

    at_s: float
    """By the machine's clock."""
    episodes: float
    """Played so far, by the size of the file of trajectories."""
    memory: int
    """Resident bytes."""
    descriptors: int
    threads: int
    children: int


class Soaked(NamedTuple):
    """A finished run."""

    samples: list[Sample]
    tasks: list[tuple[float, int]]
    """Seconds by the machine's clock, and asyncio tasks at that time."""
    served: Counter[str]
    """The server's own counts."""
    exit_code: int
    folder: Path
    cpu_s: float


def main() -> int:
    """Runs, prints, draws; the exit code."""
    asked = _arguments()
    planned = asked.tasks * asked.samples
    with tempfile.TemporaryDirectory(prefix="soak-") as place, _server() as url:
        soaked = _soak(Path(place), url, asked)
        problems = _report(soaked, asked, planned)
        if asked.plot:
            _draw(soaked, asked.plot)
    print("\n".join(["", *(f"PROBLEM: {problem}" for problem in problems)]) if problems else "\nall counts are exact")
    return 6 if problems else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=2000, help="a multiple of 100, for 10 %% tools that misbehave")
    parser.add_argument("--samples", type=int, default=10, help="episodes of each task")
    parser.add_argument("--timeout", type=float, default=15.0, help="model.timeout_s")
    parser.add_argument("--plot", type=Path, default=None)
    return parser.parse_args()


@contextmanager
def _server() -> Iterator[str]:
    with subprocess.Popen([sys.executable, PARTS / "server.py"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.kill()


def _soak(place: Path, url: str, asked: argparse.Namespace) -> Soaked:
    folder, noted = place / "run", place / "tasks"
    _write_tasks(place / "tasks.jsonl", asked.tasks)
    (place / "conf" / "env").mkdir(parents=True)
    (place / "conf" / "env" / "soak.yaml").write_bytes(orjson.dumps(_environment()))  # JSON is YAML
    command = [sys.executable, "-m", "agentbench.rollout", "--config-dir", str(place / "conf"), "env=soak"]
    command += ["model=openai", f"model.base_url={url}/v1", "model.name=soaked", f"model.timeout_s={asked.timeout}"]
    command += ["template=teacher", f"tasks.file={place / 'tasks.jsonl'}", f"samples={asked.samples}"]
    command += [f"concurrency={CONCURRENCY}", "model.max_retries=10", f"hydra.run.dir={folder}"]
    environment = {**os.environ, "SOAK_TASKS": str(noted), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PARTS)}
    with (place / "said").open("wb") as said:
        run = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)
        samples = list(_samples(run, folder / "trajectories.jsonl"))
    if run.returncode:
        print((place / "said").read_text(encoding="utf-8")[-3000:])
    tasks = [(float(at), int(count)) for at, count in map(str.split, noted.read_text().splitlines())]
    with urllib.request.urlopen(f"{url}/counts") as answer:
        served = Counter(json.load(answer))
    size, planned = (folder / "trajectories.jsonl").stat().st_size, asked.tasks * asked.samples
    samples = [sample._replace(episodes=sample.episodes / size * planned) for sample in samples]
    cpu_s = orjson.loads((folder / "run.json").read_bytes())["cpu_seconds"]
    return Soaked(samples, tasks, served, run.returncode, folder, cpu_s)


def _write_tasks(path: Path, count: int) -> None:
    def task(number: int) -> dict[str, object]:
        call = {"name": "double", "arguments": {"number": number}}
        gold = {"answer": {"type": "number", "value": 2 * number}, "actions": [{"calls": [call]}]}
        turns = [{"query": f"Double {number}.", "gold": gold}]
        return {"id": f"double-{number}", "suite": "soak", "domain": "numbers", "turns": turns}

    path.write_bytes(b"".join(orjson.dumps(task(number)) + b"\n" for number in range(count)))


def _environment() -> dict[str, object]:
    tools = {
        name: {"function": f"tools.{name}", "description": "Doubles.", "parameters": TOOL, "blocking": blocking}
        for name, blocking in (("double", False), ("slow_double", True))
    }
    return {"kind": "playground", "tools": tools, "tool_timeout_s": TOOL_TIMEOUT_S}


def _samples(run: subprocess.Popen[bytes], trajectories: Path) -> Iterator[Sample]:
    """Until the process ends; `episodes` is a number of bytes here, whose end nobody knows yet."""
    process = Path("/proc", str(run.pid))
    while run.poll() is None:
        if trajectories.is_file():
            try:
                yield Sample(
                    time.monotonic(),
                    trajectories.stat().st_size,
                    int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
                    len(list((process / "fd").iterdir())),
                    len(list((process / "task").iterdir())),
                    len((process / "task" / str(run.pid) / "children").read_text().split()),
                )
            except (OSError, IndexError):  # it has just ended
                break
        time.sleep(SAMPLED_EVERY_S)
    run.wait()


def _report(soaked: Soaked, asked: argparse.Namespace, planned: int) -> list[str]:
    summary = orjson.loads((soaked.folder / "summary.json").read_bytes())
    played, outcomes = Counter[tuple[str, int]](), Counter[str]()
    with (soaked.folder / "trajectories.jsonl").open("rb") as file:
        for line in map(orjson.loads, file):
            played[line["task"]["id"], line["sample"]] += 1
            outcomes.update(step["observation"]["outcome"] for step in line["history"]["steps"])
    counts = [
        ("episodes", planned, len(played)),
        ("lines of trajectories.jsonl", planned, played.total()),
        ("episodes in summary.json", planned, summary["n"]),
        ("episodes that ended with an error", 0, sum(summary["errors"].values())),
        ("episodes solved", planned, summary["success"]["count"]),
        ("tool calls that failed", planned // 10, outcomes["tool_error"]),
        *((f"requests failed by {kind}", soaked.served[kind], summary["faults"].get(kind, 0)) for kind in _KINDS),
        ("requests", 2 * planned + sum(soaked.served[kind] for kind in _KINDS), soaked.served["requests"]),
    ]
    command = f"python experiments/soak.py --tasks {asked.tasks} --samples {asked.samples} --timeout {asked.timeout:g}"
    print(f"{heading(command)}\n\n| count | expected | found |\n|---|--:|--:|")
    print("\n".join(f"| {name} | {wanted:,} | {found:,} |" for name, wanted, found in counts))
    wrong = [f"{name}: {found} and not {wanted}" for name, wanted, found in counts if wanted != found]
    return [*([f"exit code {soaked.exit_code}"] if soaked.exit_code else []), *wrong, *_resources(soaked)]


_KINDS = ("rate_limited", "server_error", "timeout", "cut", "garbage")


def _resources(soaked: Soaked) -> list[str]:
    """Prints what the process held, by quarters of the run; what has grown."""
    quarters = [_quarter(soaked, number) for number in range(4)]
    growth = _slope(soaked.samples)
    seconds = soaked.samples[-1].at_s - soaked.samples[0].at_s
    print(f"\n{len(soaked.samples)} samples; {soaked.cpu_s:.0f} CPU s, {seconds:.0f} s")
    print("\n| median (most) in each quarter | 1st | 2nd | 3rd | 4th |\n|---|--:|--:|--:|--:|")
    for name in quarters[0]:
        print(f"| {name} | {' | '.join(f'{np.median(each[name]):.4g} ({max(each[name]):.4g})' for each in quarters)} |")
    print(f"\nmemory grows by {growth:.0f} bytes an episode over the second half")
    left = [
        f"{name}: {np.median(quarters[3][name]):g} after {np.median(quarters[1][name]):g}"
        for name, most in MOST_LEFT.items()
        if np.median(quarters[3][name]) > np.median(quarters[1][name]) + most
    ]
    many = soaked.samples[-1].episodes > 5000  # fewer say nothing about growth
    return [*left, *([f"memory grows by {growth:.0f} bytes an episode"] if many and growth > MOST_BYTES else [])]


def _quarter(soaked: Soaked, number: int) -> dict[str, list[float]]:
    start, end = soaked.samples[0].at_s, soaked.samples[-1].at_s + 1e-3
    low, high = start + (end - start) * number / 4, start + (end - start) * (number + 1) / 4
    inside = [sample for sample in soaked.samples if low <= sample.at_s < high] or soaked.samples[-1:]
    return {
        "memory, MB": [sample.memory / 1e6 for sample in inside],
        "descriptors": [float(sample.descriptors) for sample in inside],
        "threads": [float(sample.threads) for sample in inside],
        "children": [float(sample.children) for sample in inside],
        "asyncio tasks": [float(count) for at, count in soaked.tasks if low <= at < high] or [0.0],
    }


def _slope(samples: list[Sample]) -> float:
    """Bytes of memory per episode over the second half of the episodes, by least squares."""
    late = [sample for sample in samples if sample.episodes >= samples[-1].episodes / 2]
    if len(late) < 3:
        return 0.0
    return float(np.polyfit([sample.episodes for sample in late], [sample.memory for sample in late], 1)[0])


def _draw(soaked: Soaked, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(9, 5), sharex=True, layout="constrained")
    start, minutes = soaked.samples[0].at_s, [(each.at_s - soaked.samples[0].at_s) / 60 for each in soaked.samples]
    drawn = {
        "resident memory, MB": (minutes, [each.memory / 1e6 for each in soaked.samples]),
        "open descriptors": (minutes, [each.descriptors for each in soaked.samples]),
        "threads": (minutes, [each.threads for each in soaked.samples]),
        "asyncio tasks": ([(at - start) / 60 for at, _ in soaked.tasks], [count for _, count in soaked.tasks]),
    }
    for axis, (name, (x, y)) in zip(axes.flat, drawn.items(), strict=True):
        axis.plot(x, y, linewidth=0.8)
        axis.set_title(name, fontsize=10)
        axis.set_ylim(bottom=0)
    for axis in axes[1]:
        axis.set_xlabel("minutes")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
