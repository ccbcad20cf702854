"""Parsers of files that strangers made: one function for each, bytes in, nothing out."""

from __future__ import annotations

import bz2
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from agentbench.app.command_line import read_command_line
from agentbench.app.groups import CONF, groups
from agentbench.app.overrides import read_overrides
from agentbench.app.record import read_record
from agentbench.config import load
from agentbench.config.entry import RolloutConfig
from agentbench.config.tasks import Split
from agentbench.config.yaml_text import read_yaml
from agentbench.envs.single_call import SingleCall
from agentbench.envs.tool_env import argument_problem
from agentbench.episodes.store import finished_ids, read_trajectories, repair
from agentbench.reporting.facts import facts
from agentbench.reporting.html.entries import detail, index_entry
from agentbench.reporting.run_folder import read_labels
from agentbench.reporting.trajectory_view import trajectory_view
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.calls import CallsScorer
from agentbench.tasks.appworld import read_appworld
from agentbench.tasks.bfcl.questions import questions
from agentbench.tasks.calls.nestful import read_nestful
from agentbench.tasks.calls.questions import task_of
from agentbench.tasks.calls.xlam import read_xlam
from agentbench.tasks.files import read_tasks
from agentbench.tasks.tau2 import as_task, read_suite
from agentbench.tasks.toolbench import read_trace
from agentbench.tasks.vakra.reading import read_vakra
from agentbench.tools.http.openapi import read_openapi
from agentbench.tools.mcp.schemas import schema_problem
from agentbench.tools.retriever.documents import DocumentFile
from agentbench.tools.sql.database import Database
from agentbench.tools.tau2.domains import read_databases
from agentbench.training_data.rows import read_rows
from agentbench.types import Trajectory
from agentbench.worlds.dump import passages
from agentbench.worlds.manifest import read_world
from agentbench.worlds.own_documents import read_passages
from agentbench.worlds.own_domain import own_tables
from agentbench.worlds.own_schema import copy_database, read_tables
from tests.fuzz import parts
from tests.fuzz.said import ours

_SPLIT = Split.TRAIN
_CONSOLE = Console(file=io.StringIO(), width=100)


def tasks(data: bytes) -> None:
    """A task file; what was read can be written again, and offered where questions bring their tools."""
    for task in ours(read_tasks, parts.written("tasks.jsonl", data)) or ():
        orjson.dumps(task)
        ours(parts.finished, SingleCall().reset(task))


def trajectories(data: bytes) -> None:
    """A run's episodes, read, scored and shown; and which of them are finished."""
    path = parts.written("trajectories.jsonl", data)
    ours(finished_ids, path)
    for trajectory in ours(lambda: list(read_trajectories(path))) or ():
        ours(_looked_at, trajectory)


def resumed(data: bytes) -> None:
    """A file that was cut off: after its repair every line can be read, or our error says why not."""
    path = parts.written("cut/trajectories.jsonl", data)
    if ours(repair, path) is not None:
        assert all(line.endswith(b"\n") for line in path.read_bytes().splitlines(keepends=True))


def rows(data: bytes) -> None:
    """Preferences and supervised examples."""
    ours(lambda: list(read_rows(parts.written("rows.jsonl", data))))


def xlam(data: bytes) -> None:
    """xLAM's questions, and the tasks that are made of them."""
    found = ours(read_xlam, parts.written("xlam.json", data))
    for question in found.kept if found else ():
        orjson.dumps(task_of(question, "xlam", _SPLIT))


def nestful(data: bytes) -> None:
    """NESTFUL's functions and sequences, `[functions, sequences]`."""
    spec, sequences = _halves(data)
    parts.written("nestful/a-spec.json", spec)
    found = ours(read_nestful, parts.written("nestful/a-data.json", sequences).parent)
    for question in found.kept if found else ():
        orjson.dumps(task_of(question, "nestful", _SPLIT))


def toolbench(data: bytes) -> None:
    """One trace."""
    trajectory = ours(read_trace, parts.written("G1_answer/1_ChatGPT.json", data))
    if trajectory is not None:
        _looked_at(trajectory)


def bfcl(data: bytes) -> None:
    """Questions as the official package's process gives them."""
    found = _json(data)
    for category in ("simple_java", "parallel", "multi_turn_base"):
        for question in ours(questions, category, found if isinstance(found, list) else [found], "More.") or ():
            orjson.dumps(question.task)


def vakra(data: bytes) -> None:
    """Records and tool universes, `[records, universes]`."""
    records, universes = _halves(data)
    place = parts.written("vakra/capability_1/input/films.json", records)
    parts.written("vakra/capability_1/tool_universe.json", universes)
    ours(read_vakra, place.parents[2])


def vakra_yaml(data: bytes) -> None:
    """A map of tool universes in YAML."""
    place = parts.written("vakra_yaml/universe.yaml", data[:4096])
    ours(read_vakra, place.parent)


def tau2(data: bytes) -> None:
    """A domain's tasks and records, `[tasks, records]`."""
    listed, database = _halves(data)
    folder = parts.written("tau2/tasks.json", listed).parent
    parts.written("tau2/db.json", database)
    parts.written("tau2/split_tasks.json", b'{"train": ["a"]}')
    parts.written("tau2/policy.md", b"Be kind.")
    ours(read_databases, folder)
    suite = ours(read_suite, folder, ("policy.md",))
    for published in suite.tasks if suite else ():
        orjson.dumps(as_task(published, suite, "retail", ()))


def appworld(data: bytes) -> None:
    """What a task asks, its difficulty and its steps, `[[specs, steps], metadata]`."""
    told, metadata = _halves(data)
    specs, steps = _halves(told)
    task = "appworld/data/tasks/a_1"
    root = parts.written(f"{task}/specs.json", specs).parents[3]
    parts.written(f"{task}/ground_truth/metadata.json", metadata)
    parts.written(f"{task}/ground_truth/steps.json", steps)
    parts.written("appworld/data/datasets/train.txt", b"a_1\n")
    for task in ours(read_appworld, root, "train") or ():
        orjson.dumps(task)


def appworld_list(data: bytes) -> None:
    """A list of AppWorld's tasks: its ids name no file elsewhere."""
    root = parts.written("lists/data/tasks/a_1/specs.json", b'{"instruction": "x"}').parents[3]
    parts.written("lists/data/datasets/train.txt", data[:4096])
    ours(read_appworld, root, "train")


def dump(data: bytes) -> None:
    """A dump of an encyclopedia, plain and as an archive."""
    for name, content in (
        ("a.json", data),
        ("a.gz", _packed(data, gzip.compress)),
        ("a.bz2", _packed(data, bz2.compress)),
    ):
        ours(lambda name=name, content=content: list(passages(parts.written(f"dump/{name}", content), 100)))


def documents(data: bytes) -> None:
    """A world's passages, and a user's own documents."""
    ours(DocumentFile, parts.written("documents.jsonl", data))
    place = parts.written("own/notes.md", data)
    ours(read_passages, place.parent, print_nothing)


def sqlite(data: bytes) -> None:
    """A user's database: films with some bytes changed, or the input itself."""
    whole = data if data.startswith(b"SQLite") else _damaged(data)
    path = parts.written("own.sqlite", whole)
    database = ours(Database, path, 1.0)
    if database is not None:
        ours(database.rows, 'SELECT * FROM "films" WHERE "title" LIKE ?', ("%a%",))
        database.close()
    copy = parts.folder() / "copy.sqlite"
    copy.unlink(missing_ok=True)
    if ours(_copied, path, copy):
        found = ours(read_tables, copy, path, print_nothing)
        if found:
            ours(own_tables, "films", "Films", found)


def world(data: bytes) -> None:
    """A prepared world's manifest."""
    ours(read_world, parts.written("world/world.json", data).parent)


def openapi(data: bytes) -> None:
    """A document that describes somebody's HTTP API."""
    found = _json(data)
    for endpoint in ours(read_openapi, found, "api.json") or () if isinstance(found, dict) else ():
        orjson.dumps(endpoint.parameters)


def schema(data: bytes) -> None:
    """A stranger's schema of arguments, and what is wrong with some arguments by it."""
    found = _json(data)
    if isinstance(found, dict) and not schema_problem(found):
        spec = parts.tools("rest")[0].spec
        argument_problem(type(spec)("stranger", "", found), {"title": "Heat", "n": 1})


def config_values(data: bytes) -> None:
    """A saved configuration, as `resume` and reports read it."""
    try:
        found = read_yaml(data[:4096])
    except ValueError:
        return
    if isinstance(found, dict):
        ours(load, found, RolloutConfig)


def overrides(data: bytes) -> None:
    """Words of a command line, one a line."""
    words = data[:200].decode("utf-8", "replace").split("\n")
    line = ours(read_command_line, words)
    if line is not None:
        ours(read_overrides, line.overrides, groups("rollout", [CONF]))


def labels(data: bytes) -> None:
    """Labels that a report is calibrated by, and a run's record."""
    ours(read_labels, parts.written("labels.jsonl", data))
    ours(read_record, parts.written("run/run.json", data).parent)


def print_nothing(_line: str) -> None:
    """For readers that report."""


def _looked_at(trajectory: Trajectory) -> None:
    """All that is done with an episode once it lies on disk."""
    parts.finished(AnswerScorer().score(trajectory))
    parts.finished(CallsScorer().score(trajectory))
    facts(trajectory, {})
    json.dumps([index_entry(trajectory, 0), detail(trajectory)])
    _CONSOLE.print(trajectory_view(trajectory))
    shown = _CONSOLE.file
    assert isinstance(shown, io.StringIO)
    assert "\x1b" not in shown.getvalue(), "a terminal is driven"
    shown.seek(0)
    shown.truncate()


def _halves(data: bytes) -> tuple[bytes, bytes]:
    """Two files of one input: the two entries of a list, else the input and an empty list."""
    match _json(data):
        case [first, second]:
            return _bytes(first), _bytes(second)
    return data, b"[]"


def _bytes(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        return b"{"


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _packed(data: bytes, pack: Callable[[bytes], bytes]) -> bytes:
    """An archive of the input; of every other one the last bytes are missing."""
    archive = pack(data[:2000])
    return archive if len(data) % 2 else archive[: len(archive) - 5]


def _damaged(data: bytes) -> bytes:
    """The films' file with bytes of the input at places that the input says."""
    whole = bytearray(parts.database_path().read_bytes())
    for start in range(0, min(len(data), 90) - 2, 3):
        whole[int.from_bytes(data[start : start + 2]) % len(whole)] = data[start + 2]
    return bytes(whole)


def _copied(path: Path, copy: Path) -> bool:
    copy_database(path, copy)
    return True
