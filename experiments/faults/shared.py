"""Two runs at once on one folder, and processes that run out of memory."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

from experiments.faults.bench import BUG, DONE, FAILURES, MISSING, Bench, Whole, demand, told
from experiments.faults.children import Child


def two_runs(bench: Bench, whole: Whole) -> str:
    """A second run never writes into the first one's folder, and the first one does not notice it."""
    if bench.entry.endless:
        return _two_servers(bench)
    note = "" if bench.entry.dear else _side_by_side(bench, whole)
    if not bench.entry.resumes:
        return note
    first = bench.start(name="held")
    first.wait_for(lambda: (bench.run_folder("held") / ".lock").is_file() or bench.entry.half(bench.run_folder("held")))
    first.send(signal.SIGSTOP)  # or it may be over before the second has begun
    told(bench.start(name="held", resume=True).end(), MISSING)
    first.send(signal.SIGCONT)
    told(first.end(), DONE)
    bench.complete("held", whole)
    return f"{note}; `resume=` of one under way is refused".removeprefix("; ")


def _side_by_side(bench: Bench, whole: Whole) -> str:
    for child in [bench.start(), bench.start()]:
        told(child.end(), DONE)
    bench.complete("run", whole)
    bench.complete("run_2", whole)
    return "the second gets a folder of its own"


def _two_servers(bench: Bench) -> str:
    first = bench.start(name="first")
    first.wait_for(lambda: "http://" in first.out)
    port = first.out.partition("127.0.0.1:")[2].partition("/")[0]
    told(bench.start(f"serve.port={port}", name="second").end(), MISSING)
    first.send(signal.SIGTERM)
    told(first.end(), DONE)
    return "a port that is taken is one line"


def out_of_memory(bench: Bench, whole: Whole) -> str:
    """The process may take no more memory than it has once it is under way; then it may again."""
    child = bench.start()
    demand(child.wait_for(lambda: bench.entry.half(bench.run_folder())), "it never was under way")
    _limit(child)
    ended = child.end()
    told(ended, DONE, FAILURES, MISSING)
    if ended.code == DONE:
        bench.complete("run", whole)
        return "it needed no more"
    kept = bench.entry.kept(bench.run_folder())
    name = "run" if bench.entry.resumes else "again"
    told(bench.start(name=name, resume=bench.entry.resumes).end(), DONE)
    demand(not bench.entry.resumes or kept <= bench.entry.kept(bench.run_folder()), "what was finished is gone")
    bench.complete(name, whole)
    return f"exit code {ended.code}, {len(kept)} kept"


def _limit(child: Child) -> None:
    """No more address space than there is."""
    pages = int(Path(f"/proc/{child.process.pid}/statm").read_text().split()[0])
    limit = pages * resource.getpagesize()
    resource.prlimit(child.process.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def worker_out_of_memory(bench: Bench, whole: Whole) -> str:
    """The system's out-of-memory killer takes one of two ranks."""
    child = bench.start("launcher=accelerate", "launcher.processes=2", name="ranks")
    child.wait_for(lambda: bench.entry.half(bench.run_folder("ranks")))
    ranks = _children(child.process.pid)
    demand(len(ranks) == 2, f"{len(ranks)} ranks are running")
    os.kill(ranks[1], signal.SIGKILL)
    ended = child.end()
    told(ended, BUG)  # `train --help`: 1, a bug of ours or a rank that failed
    demand("signal 9" in ended.err, f"it does not say what happened: {ended.err[-200:]!r}")
    told(bench.next_of(ended).end(), DONE)
    return "rank 1 killed: it says so, and goes on from its last checkpoint"


def _children(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return sorted(int(child) for child in told.split())
