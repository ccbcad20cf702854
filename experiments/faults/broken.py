"""One corrupt line in each file that a run reads."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from experiments.faults.bench import DONE, MISSING, Bench, Whole, demand, told
from experiments.faults.disturbed import stopped_half_way

TORN, BINARY, OTHER = b'{"id": "half a', b"\xff\xfe\x00\x01", b'["something", "else"]'
CORRUPT = {"torn": TORN, "binary": BINARY, "of another form": OTHER}


class _Input(NamedTuple):
    """A file of the kitchen, and how a run is told of a copy of it."""

    part: str
    """File or folder of the kitchen that is copied."""
    file: str
    """The file below it that is corrupted; the part itself where it is empty."""
    override: str
    """`{}` stands for the copy."""


# A world's documents.jsonl is read where its search index is made, and not by these runs.
_WORLD = "env.worlds=['{}']"
_INPUTS = {
    "rollout": (
        _Input("world", "tasks/rest/test.jsonl", _WORLD),
        _Input("world", "world.json", _WORLD),
    ),
    "eval": (_Input("world", "tasks/rest/test.jsonl", _WORLD),),
    "serve": (_Input("world", "tasks/rest/test.jsonl", _WORLD), _Input("world", "world.json", _WORLD)),
    "doctor": (_Input("world", "tasks/rest/test.jsonl", _WORLD), _Input("world", "world.json", _WORLD)),
    "build_prefs": (_Input("mixed", "trajectories.jsonl", "trajectories=['{}/trajectories.jsonl']"),),
    "report": (_Input("evaluated", "trajectories.jsonl", "run='{}'"), _Input("evaluated", "run.json", "run='{}'")),
    "train sft": (_Input("examples", "rows.jsonl", "rows=['{}/rows.jsonl']"),),
    "train dpo": (_Input("pairs", "rows.jsonl", "rows=['{}/rows.jsonl']"),),
    "train grpo": (_Input("world", "tasks/rest/train.jsonl", _WORLD),),
}


def corrupt_line(bench: Bench, whole: Whole) -> str:
    """Each kind of corruption in each file is one line that names the file; so is one in a run that is to go on."""
    notes = []
    for number, one in enumerate(_INPUTS[bench.entry.row]):
        for kind in ("torn",) if bench.entry.dear else CORRUPT:
            _refused(bench, one, kind, f"{number}_{kind.replace(' ', '_')}")
        notes.append(one.file)
    if bench.entry.row in ("rollout", "train dpo"):
        notes.append(_broken_earlier(bench, whole))
    return "; ".join(notes)


def _refused(bench: Bench, one: _Input, kind: str, name: str) -> None:
    copy = bench.folder / f"input_{name}"
    shutil.copytree(bench.kitchen.folder / one.part, copy)
    corrupt(copy / one.file, CORRUPT[kind])
    child = bench.start(one.override.format(copy), name=name)
    if bench.entry.endless and child.wait_for(lambda: "http://" in child.out):
        child.process.terminate()
    ended = child.end()
    try:
        told(ended, MISSING)
        demand(Path(one.file).name in ended.err, f"the message does not name the file: {ended.err[-200:]!r}")
    except Exception as error:
        error.args = (f"{one.file}, {kind}: {error}",)
        raise


def corrupt(path: Path, text: bytes) -> None:
    """Puts a text in the place of a line in the middle; of all lines where there are few."""
    lines = path.read_bytes().split(b"\n")
    middle = len(lines) // 2
    path.write_bytes(b"\n".join([*lines[:middle], text, *lines[middle + 1 :]]))


def _broken_earlier(bench: Bench, whole: Whole) -> str:
    """What an earlier run left and `resume=` reads."""
    stopped_half_way(bench)
    folder = bench.run_folder()
    names = ("trajectories.jsonl",) if bench.entry.served else ("metrics.jsonl",)
    for name in (*names, ".hydra/config.yaml"):
        path = folder / name
        before = path.read_bytes()
        corrupt(path, BINARY)
        ended = bench.start(resume=True).end()
        told(ended, MISSING)
        demand(Path(name).name in ended.err, f"the message does not name {name}: {ended.err[-200:]!r}")
        path.write_bytes(before)
    told(bench.start(resume=True).end(), DONE)
    bench.complete("run", whole)
    return f"{', '.join(names)} and config.yaml of a run to resume"
