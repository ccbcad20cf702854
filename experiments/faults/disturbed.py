"""Disks that are full or read-only, and clocks that jump."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.faults.bench import DONE, MISSING, Bench, Whole, demand, told
from experiments.faults.disks import disk

ROOM = "size=256m,nr_inodes=100000"
DAY_S = 86_400.0


def full_disk(bench: Bench, whole: Whole) -> str:
    """A disk with half the room that the run needs, and one with next to none; then room is made."""
    half = max(whole.bytes // 2 // 4096 * 4, 8)
    return _too_little(bench, whole, [f"size={size}k" for size in ([half] if bench.entry.dear else [half, 8])])


def no_inodes(bench: Bench, whole: Whole) -> str:
    """A quota on files that runs out: no space left, although bytes are free."""
    return _too_little(bench, whole, [f"size=64m,nr_inodes={max(4, whole.files // 2)}"])


def _too_little(bench: Bench, whole: Whole, sizes: list[str]) -> str:
    notes = []
    for number, options in enumerate(sizes):
        place = bench.folder / f"disk{number}"
        place.mkdir(exist_ok=True)
        inner = Bench(bench.entry, bench.kitchen, place, 0)
        inner.server = bench.server
        with disk(place / "out", options) as small:
            inner.disk = small
            notes.append(_until_room_is_made(inner, whole, options))
    return "; ".join(notes)


def _until_room_is_made(bench: Bench, whole: Whole, options: str) -> str:
    child = bench.start()
    if bench.entry.endless and child.wait_for(lambda: "http://" in child.out):
        child.process.terminate()  # it serves without writing
    ended = child.end()
    told(ended, MISSING, *((DONE,) if bench.entry.endless else ()))
    kept = bench.entry.kept(bench.run_folder())
    assert bench.disk is not None
    bench.disk.remount(ROOM)
    _goes_on(bench, whole, kept)
    return f"{options}: {len(kept)} kept"


def _goes_on(bench: Bench, whole: Whole, kept: frozenset[str]) -> None:
    if bench.entry.endless:
        return
    resumable = bench.entry.resumes and (bench.run_folder() / ".hydra" / "config.yaml").is_file()
    name = "run" if resumable else "again"
    told(bench.start(name=name, resume=resumable).end(), DONE)
    demand(not resumable or kept <= bench.entry.kept(bench.run_folder(name)), "what was finished is gone")
    bench.complete(name, whole)


def file_limit(bench: Bench, whole: Whole) -> str:
    """No file may grow beyond half of the largest one (RLIMIT_FSIZE, as a quota on some systems)."""
    with _files_up_to(max(2048, whole.largest // 2)):
        child = bench.start()
    if bench.entry.endless and child.wait_for(lambda: "http://" in child.out):
        child.process.terminate()
    ended = child.end()
    told(ended, MISSING, *((DONE,) if bench.entry.endless else ()))
    kept = bench.entry.kept(bench.run_folder())
    _goes_on(bench, whole, kept)
    return f"{len(kept)} kept"


@contextmanager
def _files_up_to(size: int) -> Iterator[None]:
    """For children started meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def read_only(bench: Bench, whole: Whole) -> str:
    """A folder that cannot be written to is one line; inputs that cannot be written to do not matter."""
    notes = []
    with disk(bench.folder / "out", ROOM) as place:
        bench.disk = place
        place.protect(bench.kitchen.folder)
        if not bench.entry.endless:
            told(bench.start().end(), DONE)
            bench.complete("run", whole)
            notes.append("inputs: the same result")
        place.remount("ro")
        told(bench.start(name="another").end(), MISSING)
        notes.append("output: one line")
        if bench.entry.resumes:
            told(bench.start(resume=True).end(), MISSING)
            notes.append("resume: one line")
            demand(bench.entry.counts(bench.run_folder()) == whole.counts, "the finished run has changed")
    return "; ".join(notes)


def clock_forwards(bench: Bench, whole: Whole) -> str:
    """A day on, in the middle of the run."""
    return _jump(bench, whole, DAY_S)


def clock_backwards(bench: Bench, whole: Whole) -> str:
    """A day back, in the middle of the run."""
    return _jump(bench, whole, -DAY_S)


def _jump(bench: Bench, whole: Whole, seconds: float) -> str:
    when = bench.folder / "jump"
    clock = Path(__file__).with_name("clock")
    path = f"{clock}:{Path(__file__).parents[2]}"
    bench.environment |= {"PYTHONPATH": path, "JUMP_WHEN": str(when), "JUMP_S": str(seconds)}
    bench.environment["JUMP_DATETIME"] = "no" if bench.entry.name == "train" else "yes"
    child = bench.start()
    child.wait_for(lambda: bench.entry.half(bench.run_folder()))
    jumped = child.running
    when.touch()
    if bench.entry.endless and child.wait_for(lambda: "http://" in child.out):
        child.process.terminate()
    told(child.end(), DONE)
    bench.complete("run", whole)
    return "in the middle" if jumped else "after its end"


def stopped_half_way(bench: Bench) -> None:
    """A run in the folder `run` that was killed in the middle."""
    child = bench.start()
    child.wait_for(lambda: bench.entry.half(bench.run_folder()))
    child.process.kill()
    child.end()
