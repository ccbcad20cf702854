"""What does an agent step cost the client? Ours, the least that aiohttp can do, and three peers, on one model server.

    python experiments/bench_rollout.py                     (or: make bench-rollout; some ten minutes)
    python experiments/bench_rollout.py --ours              without the peers
    python experiments/bench_rollout.py --peers-at-1000     the peers at 1,000 live episodes too (half an hour)

Five calls of a trivial tool in successive turns, then an answer that is compared with the right one. The model server
is a process of its own that costs next to nothing; each client is a process of its own in an environment of its own,
and all take turns. CPU is that of the client's process without imports; a step is a model request with all that comes
of it. Peers say who they are in their scripts; verifiers is 0.1's ToolEnv, which plays in its own process.

Ours is complete: template, client, environment, intervention hook, grader, scorer, and a record with token ids and
log-probabilities (`ours`), or with messages like the peers (`ours, chat`). `floor` is aiohttp, orjson and uvloop alone.

Exit code 6 where a goal is missed. CPU times of a loaded machine are worth little; ratios of one run are worth more.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from measuring import heading, spread

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers"
CLIENTS = Path(__file__).parent / "rollout_peers"
STEPS = 6
"""Requests of an episode."""
ROUNDS = 3
LEVELS = (1, 32, 256, 1000)
"""Episodes under way at once."""
STARTS = 5
OWN = {"floor": ["floor.py"], "ours": ["ours.py", "completions"], "ours, chat": ["ours.py", "chat"]}
PINS = {
    "verifiers": ("verifiers==0.1.14", "uvloop"),
    "langgraph": ("langgraph==1.2.22", "langgraph-prebuilt==1.1.2", "langchain-openai==1.7.3", "uvloop"),
    "inspect_ai": ("inspect_ai==0.3.285", "openai==3.54.0"),
}
EPISODES = {1: 40, 32: 256, 256: 512, 1000: 1000}
PEER_EPISODES = {1: 6, 32: 32, 256: 256, 1000: 1000}
IMPORT = "import agentbench.rollout, agentbench.build.runs, agentbench.build.tracking"


class Goals(NamedTuple):
    """Most milliseconds, ratios, kilobytes, megabytes and seconds; least ratio to the best peer."""

    step_ms_at_256: float = 0.5
    step_ms_at_1000: float = 0.7
    floor_ratio: float = 2.5
    peer_ratio: float = 16.0
    kb_per_episode: float = 60.0
    base_mb: float = 80.0
    import_cpu_s: float = 0.5
    start_cpu_s: float = 1.5


GOALS = Goals()

Readings = dict[tuple[str, int], list[dict[str, float]]]
"""By client and level, one for each round."""


def main() -> None:
    """Makes the environments that are missing, measures, prints."""
    peers = [] if "--ours" in sys.argv else list(PINS)
    for name in peers:
        _make_environment(name)
    _allow_many_files()
    with tempfile.TemporaryDirectory() as place, _server(Path(place)) as url:
        readings = _rounds(url, Path(place), peers)
        print(heading("python experiments/bench_rollout.py"))
        missed = _report(readings, peers)
        missed += _start(url, Path(place))
    print(f"\ngoals missed: {', '.join(missed)}" if missed else "\nall goals met")
    sys.exit(6 if missed else 0)


def _make_environment(name: str) -> None:
    folder = PEERS / name
    stamp = folder / ".installed"
    if stamp.is_file() and stamp.read_text() == " ".join(PINS[name]):
        return
    print(f"installing {PINS[name][0]} into {folder.relative_to(ROOT)} (minutes, once)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *os.environ.get("PIP_ARGS", "").split(), *PINS[name]], check=True)
    stamp.write_text(" ".join(PINS[name]))


def _allow_many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def _server(place: Path) -> Iterator[str]:
    """The model server's base URL; what it says in completions mode is prepared first."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, str(CLIENTS / "script.py"), str(place)], check=True, env=environment)
    command = [sys.executable, str(CLIENTS / "model_server.py"), str(place / "script.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        finally:
            server.kill()


def _rounds(url: str, place: Path, peers: Sequence[str]) -> Readings:
    readings: Readings = defaultdict(list)
    for number in range(ROUNDS):
        for level in LEVELS:
            asked = peers if level < 1000 or ("--peers-at-1000" in sys.argv and number == 0) else ()
            for name in (*OWN, *asked):
                print(f"\rround {number + 1} of {ROUNDS}: {name} at {level}".ljust(60), end="", file=sys.stderr)
                readings[name, level].append(_reading(name, level, url, place / f"{name}-{level}-{number}"))
    print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    return readings


def _reading(name: str, level: int, url: str, folder: Path) -> dict[str, float]:
    """What one client says about one run of its own."""
    episodes = (EPISODES if name in OWN else PEER_EPISODES)[level]
    given = [url, str(episodes), str(level), str(folder)]
    environment = {**os.environ, "OPENAI_API_KEY": "none", "PYTHONPATH": str(ROOT)}
    if name in OWN:
        script, *mode = OWN[name]
        more = [*mode, str(folder.parent / "tokenizer")] if mode else []
        command = [sys.executable, str(CLIENTS / script), *more, *given]
    else:
        command = [str(PEERS / name / "bin/python"), str(CLIENTS / f"with_{name}.py"), *given]
        environment.pop("PYTHONPATH")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder.parent)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    if found["right"] != episodes:
        sys.exit(f"{name} solved {found['right']} of {episodes} episodes at {level}")
    steps = episodes * STEPS
    more = {"ms": 1000 * found["cpu_s"] / steps, "speed": steps / found["wall_s"], "record": found["bytes"] / episodes}
    return {**found, **more}


def _report(readings: Readings, peers: Sequence[str]) -> list[str]:
    names = (*OWN, *peers)
    _table("CPU-ms per step, median (least to most), by episodes under way", readings, names, "ms", 3)
    _table("steps per second", readings, names, "speed", 0)
    print(f"\n{'':<12}{'import CPU s':>14}{'base MB':>10}{'peak MB at 256':>16}{'at 1,000':>10}{'bytes/episode':>15}")
    for name in names:
        first = readings[name, 256]
        late = [reading["peak_mb"] for reading in readings.get((name, 1000), ())]
        print(
            f"{name:<12}{_median(first, 'import_cpu_s'):>14.2f}{_median(first, 'before_mb'):>10.0f}"
            f"{_median(first, 'peak_mb'):>16.0f}{f'{statistics.median(late):.0f}' if late else '–':>10}"
            f"{_median(first, 'record'):>15,.0f}"
        )
    return _missed(readings, peers)


def _table(title: str, readings: Readings, names: Sequence[str], key: str, digits: int) -> None:
    print(f"\n{title}\n{'':<12}" + "".join(f"{level:<26,}" for level in LEVELS).rstrip())
    for name in names:
        cells = [_range([each[key] for each in readings.get((name, level), ())], digits) for level in LEVELS]
        print(f"{name:<12}" + "".join(f"{cell:<26}" for cell in cells).rstrip())


def _range(values: Sequence[float], digits: int) -> str:
    if not values:
        return "–"
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def _missed(readings: Readings, peers: Sequence[str]) -> list[str]:
    """Prints each figure that has a goal; those on the wrong side."""
    at_256, at_1000 = _median(readings["ours", 256], "ms"), _median(readings["ours", 1000], "ms")
    live_kb = _median(readings["ours", 1000], "peak_mb") - _median(readings["ours", 1], "peak_mb")  # MB for 1,000
    figures = [
        ("CPU-ms per step at 256", at_256, GOALS.step_ms_at_256),
        ("CPU-ms per step at 1,000", at_1000, GOALS.step_ms_at_1000),
        ("times the floor at 256", at_256 / _median(readings["floor", 256], "ms"), GOALS.floor_ratio),
        ("times the floor at 1,000", at_1000 / _median(readings["floor", 1000], "ms"), GOALS.floor_ratio),
        ("kB per live episode", live_kb * 1024 / 1000, GOALS.kb_per_episode),
        ("MB before the first episode", _median(readings["ours", 1], "before_mb"), GOALS.base_mb),
    ]
    print()
    missed = [_goal(name, value, goal) for name, value, goal in figures]
    if peers:
        best = min(_median(readings[name, 256], "ms") for name in peers)
        print(f"the best peer's step at 256 costs {best / at_256:.1f} times ours (goal: at least {GOALS.peer_ratio:g})")
        missed.append("best peer" if best / at_256 < GOALS.peer_ratio else "")
    return [name for name in missed if name]


def _goal(name: str, value: float, most: float) -> str:
    print(f"{name}: {value:.2f} (goal: at most {most:g})")
    return name if value > most else ""


def _start(url: str, place: Path) -> list[str]:
    """CPU seconds of importing, and of a whole run of one step over prepared worlds."""
    run = [sys.executable, "-m", "agentbench.rollout", "model=openai", f"model.base_url={url}", "model.name=student"]
    run += ["template=teacher", "tasks.limit=1", "env.horizon=1", f"cache_dir={place / 'cache'}"]
    _cpu_s([*run, f"hydra.run.dir={place / 'prepared'}"], place)
    imports = [_cpu_s([sys.executable, "-c", IMPORT], place) for _ in range(STARTS)]
    starts = [_cpu_s([*run, f"hydra.run.dir={place / f'start-{number}'}"], place) for number in range(STARTS)]
    print(f"\nCPU s, importing what a rollout needs: {spread(imports, 2)}; a rollout of one step: {spread(starts, 2)}")
    missed = [
        _goal("import CPU s", statistics.median(imports), GOALS.import_cpu_s),
        _goal("CPU s of a rollout of one step", statistics.median(starts), GOALS.start_cpu_s),
    ]
    return [name for name in missed if name]


def _cpu_s(command: list[str], place: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(place / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=place)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _median(readings: Sequence[dict[str, float]], key: str) -> float:
    return statistics.median(reading[key] for reading in readings)


if __name__ == "__main__":
    main()
