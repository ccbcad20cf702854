"""Ranks of a training as children of this process: started from a written job, ended together.

Hydra has composed the configuration once, in the parent; a rank reads it as JSON from its standard input. They are
started with the environment that `torchrun` would give them, without its agent: `accelerate launch` takes the same
settings a second time, and on a CPU starts one process where two were meant.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from agentbench.app.children import end_with_parent
from agentbench.config.launcher import DeepspeedZero2Launcher, DeepspeedZero3Launcher
from agentbench.errors import AgentbenchError, PreflightError, RunFailed
from agentbench.training.job import TRAINED, Trained, TrainJob

JOB = "job.json"
_POLL_S = 0.2
_GRACE_S = 10.0
"""How long a rank may take to end before it is killed."""
_LONGEST_BUILD_S = 1200.0
"""Compiling for DeepSpeed takes a minute or two; a lock that is older than this belongs to nobody."""
_ECHO_S = 1.0
"""One rank's end brings others down; so long the first cause may take to be seen."""


class _Rank(NamedTuple):
    number: int
    process: subprocess.Popen[bytes]
    log: Path


WORKER = "agentbench.training.worker"
"""The module that a rank runs, where there are tables to train on."""


def launch(job: TrainJob, worker: str = WORKER) -> Trained:
    """Trains on all ranks of the job's launcher; their output is in `rank_<n>.log`, the first one's also here.

    `worker` is the module that a rank runs.

    Raises:
        PreflightError: a rank says that something is missing.
        RunFailed: a rank says that too many episodes failed.
        AgentbenchError: a rank failed otherwise; the others were ended.
    """
    (job.folder / TRAINED).unlink(missing_ok=True)
    (job.folder / JOB).write_bytes(job.to_json())
    ranks: list[_Rank] = []
    try:
        port = _free_port()
        for number in range(job.processes):
            ranks.append(_start(job, worker, number, port))
        _wait(ranks)
    finally:
        _end(ranks)
    return Trained(**orjson.loads((job.folder / TRAINED).read_bytes()))


def rank_environment(rank: int, processes: int, port: int) -> dict[str, str]:
    """What tells a process which rank it is, and how many threads it may use."""
    threads = max(1, (os.cpu_count() or 1) // processes)
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)),
    }


def _start(job: TrainJob, worker: str, number: int, port: int) -> _Rank:
    log = job.folder / f"rank_{number}.log"
    environment = _builds(job) | dict(os.environ) | rank_environment(number, job.processes, port)
    with (job.folder / JOB).open("rb") as told, log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", worker],
            stdin=told,
            stdout=None if number == 0 else errors,
            stderr=errors,
            env=environment,
            start_new_session=True,  # Ctrl-C comes to the parent alone, which ends all of them
            preexec_fn=end_with_parent(signal.SIGKILL),  # a parent that is killed cannot end its ranks
        )
    return _Rank(number, process, log)


def _builds(job: TrainJob) -> dict[str, str]:
    """Where DeepSpeed keeps what it compiles: with everything else that can be made again."""
    folder = job.config.cache_dir.absolute() / "torch_extensions"
    if not isinstance(job.config.launcher, DeepspeedZero2Launcher | DeepspeedZero3Launcher):
        return {}
    for lock in folder.glob("*/lock"):
        if time.time() - lock.stat().st_mtime > _LONGEST_BUILD_S:
            lock.unlink(missing_ok=True)  # of a build that was killed; torch would wait for it for ever
    return {"TORCH_EXTENSIONS_DIR": str(folder)}


def _wait(ranks: Sequence[_Rank]) -> None:
    """Until all have ended well.

    Raises:
        AgentbenchError: one has not.
    """
    running = list(ranks)
    while running:
        time.sleep(_POLL_S)
        for rank in list(running):
            code = rank.process.poll()
            if code:
                time.sleep(_ECHO_S)
                raise _failure(rank, code, ranks)
            if code == 0:
                running.remove(rank)


def _failure(rank: _Rank, code: int, ranks: Sequence[_Rank]) -> AgentbenchError:
    """What stopped a training of which this rank was found dead: what any rank could name comes first."""
    for other in ranks:
        kind = {kind.exit_code: kind for kind in (PreflightError, RunFailed)}.get(other.process.poll() or 0)
        if kind and (told := _told(other)):
            return kind(told)
    said = rank.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    last = f": {said[-1][:300]}" if said else ""
    return AgentbenchError(f"rank {rank.number} of {len(ranks)} ended with {how}{last}", f"read {rank.log}")


def _told(rank: _Rank) -> str:
    lines = rank.log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), "")


def _end(ranks: Sequence[_Rank]) -> None:
    """Ends those that still run, politely and then not."""
    for rank in _alive(ranks):
        rank.process.terminate()
    deadline = time.monotonic() + _GRACE_S
    for rank in _alive(ranks):
        with contextlib.suppress(subprocess.TimeoutExpired):
            rank.process.wait(max(0.0, deadline - time.monotonic()))
    for rank in _alive(ranks):
        rank.process.kill()
        rank.process.wait()


def _alive(ranks: Sequence[_Rank]) -> Iterator[_Rank]:
    return (rank for rank in ranks if rank.process.poll() is None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
