"""Fuzzes every parser of untrusted input: a process for each, coverage-guided by atheris (libFuzzer), with our mutator.

    make fuzz                               60 CPU-seconds for each target
    make fuzz ARGS="--seconds 5 xlam dump"  5 for two of them

Each target has a process of its own, a fork of the one that imported everything. It counts what it runs and goes on
after a crash: each place of the code counts once, and the input is kept below `outputs/fuzzing/`. libFuzzer ends it
where one input takes two minutes by the clock (machines are busy) or all together take 4 GiB. It may write in its own
folder only and start nothing: an audit hook makes a crash of anything else. The table goes to standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

ROOT = Path(__file__).parents[1]
FOUND = ROOT / "outputs" / "fuzzing"
LONGEST_INPUT = 1 << 15
LONGEST_S, MOST_MIB = 120, 4096
"""What one input may take, and what a process may hold."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect", "socket.bind")


class Result(NamedTuple):
    """What came of a target."""

    target: str
    executions: int
    cpu_s: float
    crashes: list[str]
    """`ErrorType at file:line`, and what ended the process if something did."""

    def row(self) -> str:
        """As a line of the table."""
        rate = self.executions / self.cpu_s if self.cpu_s else 0.0
        return f"| {self.target} | {self.executions:,} | {rate:,.0f} | {'; '.join(self.crashes) or 'none'} |"


def main() -> None:
    """Runs the targets that are named, all without a name, and prints the table; exit code 1 where one crashed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU time for each target")
    parser.add_argument("--at-once", type=int, default=1, help="processes side by side")
    asked = parser.parse_args()
    targets = _imported()
    names = asked.targets or list(targets)
    FOUND.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="agentbench-fuzz-") as scratch:
        results = _all(names, asked, targets, Path(scratch))
    print("\n".join(_table(results)))
    sys.exit(any(result.crashes for result in results))


def _imported() -> dict[str, Any]:
    """The targets, with all of agentbench that they import instrumented; once, for all processes are forks of this."""
    os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
    sys.path.insert(0, str(ROOT))
    import atheris

    with atheris.instrument_imports(include=["agentbench"]):  # type: ignore[attr-defined]  # it is an optional extra
        from tests.fuzz.targets import TARGETS
    return TARGETS


def _all(names: Sequence[str], asked: argparse.Namespace, targets: dict[str, Any], scratch: Path) -> list[Result]:
    """Every target in a process of its own, `at_once` of them side by side."""
    waiting, running, results = list(names), dict[int, str](), dict[str, Result]()
    while waiting or running:
        while waiting and len(running) < asked.at_once:
            name = waiting.pop(0)
            child = os.fork()
            if not child:
                _fuzz(name, targets[name], asked.seconds, scratch / name)
            running[child] = name
        ended, status = os.wait()
        name = running.pop(ended)
        results[name] = _result(name, os.waitstatus_to_exitcode(status), scratch / name)
        print(results[name].row(), file=sys.stderr, flush=True)
    return [results[name] for name in names]


def _result(name: str, code: int, scratch: Path) -> Result:
    record = scratch / "record.json"
    found: dict[str, Any] = json.loads(record.read_text()) if record.is_file() else {}
    crashes = list(found.get("crashes", []))
    if code:
        kept = FOUND / f"{name}.log"
        kept.write_bytes((scratch / "log").read_bytes())
        crashes.append(f"its process ended with code {code}: {kept.relative_to(ROOT)}")
    return Result(name, found.get("executions", 0), found.get("cpu_s", 0.0), crashes)


def _fuzz(name: str, target: Any, seconds: float, scratch: Path) -> NoReturn:
    """The process of one target."""
    import atheris

    from tests.fuzz import parts

    corpus = scratch / "corpus"
    corpus.mkdir(parents=True)
    with (scratch / "log").open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    watched = _Watched(name, target.run, seconds, scratch / "record.json")
    for number, seed in enumerate(target.seeds):  # imports what is imported late, and makes what is made once
        (corpus / str(number)).write_bytes(seed)
        watched(seed)
    _guard((str(parts.folder()), str(scratch), str(FOUND), os.devnull))
    limits = (f"-timeout={LONGEST_S}", f"-rss_limit_mb={MOST_MIB}", f"-max_len={LONGEST_INPUT}")
    atheris.Setup([name, str(corpus), *limits, f"-artifact_prefix={FOUND}/{name}-"], watched, custom_mutator=_mutator)
    atheris.Fuzz()
    os._exit(0)


def _mutator(data: bytes, most: int, seed: int) -> bytes:
    """Half of the time a change that keeps the form, else libFuzzer's own, which knows what comparisons looked for."""
    import atheris

    from tests.fuzz.mutation import mutated

    rng = random.Random(seed)
    return mutated(data, rng, most) if rng.random() < 0.5 else atheris.Mutate(data, most)


class _Watched:
    """Runs a target, notes what came out of it, and ends the process when its time is up."""

    def __init__(self, name: str, run: Callable[[bytes], None], seconds: float, record: Path) -> None:
        self._name, self._run, self._record = name, run, record
        self._until = time.process_time() + seconds
        self._began = time.process_time()
        self._executions = 0
        self._crashes: dict[str, None] = {}

    def __call__(self, data: bytes) -> None:
        self._executions += 1
        try:
            self._run(data)
        except BaseException as error:  # what fuzzing is for: it is counted, and its input kept; Rust's panics too
            self._keep(error, data)
        if self._executions % 64 == 0:
            self._look_at_clock()

    def _keep(self, error: BaseException, data: bytes) -> None:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "agentbench/" in frame.filename]
        place = f"{frames[-1].filename.split('agentbench/', 1)[-1]}:{frames[-1].lineno}" if frames else "?"
        told = f"{type(error).__name__} at {place}"
        if told not in self._crashes:
            self._crashes[told] = None
            stem = f"{self._name}-{len(self._crashes)}"
            (FOUND / f"{stem}.bin").write_bytes(data)
            (FOUND / f"{stem}.txt").write_text("".join(traceback.format_exception(error)), errors="replace")

    def _look_at_clock(self) -> None:
        now = time.process_time()
        if self._executions % 4096 == 0 or now > self._until:
            found = {"executions": self._executions, "cpu_s": now - self._began, "crashes": list(self._crashes)}
            self._record.write_text(json.dumps(found))
        if now > self._until:
            os._exit(0)


def _guard(folders: tuple[str, ...]) -> None:
    """From here on writing elsewhere, starting a program and opening a connection are errors."""

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & _WRITES
            if writes and isinstance(path, str) and not path.startswith(folders):
                raise RuntimeError(f"wants to write {path!r}")
        elif event.startswith(_FORBIDDEN):
            raise RuntimeError(f"wants {event} {arguments!r:.200}")

    sys.addaudithook(look)


def _table(results: Sequence[Result]) -> list[str]:
    executions, cpu_s = sum(each.executions for each in results), sum(each.cpu_s for each in results)
    crashes = sum(len(each.crashes) for each in results)
    head = ["| target | executions | executions per CPU-second | crashes |", "|---|--:|--:|---|"]
    total = f"| **all {len(results)}** | **{executions:,}** | {executions / cpu_s if cpu_s else 0:,.0f} | {crashes} |"
    return [*head, *(result.row() for result in results), total]


if __name__ == "__main__":
    main()
