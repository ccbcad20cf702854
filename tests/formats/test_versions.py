"""Files that the earliest commits wrote, read by this one.

Episodes, tasks and a world are of commit d5e2433, rows and their card of 67589fc, a search index of 5b48cce. The world
is a made-up shop; `machine.platform` in run.json was shortened.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest

from agentbench.app.record import RunRecord, read_record
from agentbench.episodes.store import TRAJECTORIES, TrajectoryWriter, finished_ids, read_trajectories, repair
from agentbench.episodes.summary import SUMMARY, Seconds, read_summary, write_summary
from agentbench.errors import DataError
from agentbench.tasks.files import read_tasks, write_tasks
from agentbench.tools.retriever.quantised import Quantisation, read_info
from agentbench.training_data.card import read_card
from agentbench.training_data.rows import PreferenceRow, SftRow, read_rows
from agentbench.types import Actor, EndReason
from agentbench.worlds.manifest import read_world, write_manifest

V1 = Path(__file__).parent / "data" / "v1"


def test_trajectories_of_version_1_are_read_whole() -> None:
    advised, alone = read_trajectories(V1 / TRAJECTORIES)
    assert (advised.task.id, advised.end, advised.success) == ("shop-test-00054", EndReason.FINAL, True)
    assert [step.decision.actor for step in advised.history.steps] == [Actor.EXPERT]
    assert (alone.end, alone.sample, alone.weights, alone.task.earlier) == (EndReason.HORIZON, 0, "", ())
    prompts = [step.decision.generations[0].prompt_ids for step in alone.history.steps]
    assert [len(ids) for ids in prompts] == [177, 227, 271]  # the file holds 177, then 50 and 44 more
    assert prompts[2][:227] == prompts[1]


def test_a_run_of_version_1_is_gone_on_with_in_its_own_file(tmp_path: Path) -> None:
    path = tmp_path / TRAJECTORIES
    shutil.copy(V1 / TRAJECTORIES, path)
    first, second = read_trajectories(path)
    assert repair(path) == 0
    with TrajectoryWriter(tmp_path) as writer:
        writer.append(first)
    assert finished_ids(path) == {(first.task.id, 0), (second.task.id, 0)}
    assert list(read_trajectories(path)) == [second, first]  # the later line of an episode counts


def test_tasks_of_version_1_are_read_and_kept_as_they_are(tmp_path: Path) -> None:
    tasks = read_tasks(V1 / "tasks.jsonl")
    assert [len(task.turns) for task in tasks] == [2, 1]
    write_tasks(tmp_path / "tasks.jsonl", tasks)
    assert read_tasks(tmp_path / "tasks.jsonl") == tasks
    assert (tmp_path / "tasks.jsonl").read_bytes().startswith(b'{"format":"task/2","id":"shop-test-')


def test_a_summary_of_version_1_lacks_what_was_not_summed_up(tmp_path: Path) -> None:
    summary = read_summary(V1)
    assert (summary.n, summary.total_time_steps, summary.episodes) == (2, 4, ())
    assert summary.seconds == Seconds(0.0, 0.0, 0.0)
    assert summary.cached_share == {"agent": 0.0}  # no token of its prompts was cached
    write_summary(tmp_path, summary)
    assert read_summary(tmp_path) == summary


def test_a_run_record_of_version_1_names_no_inputs(tmp_path: Path) -> None:
    record = read_record(V1)
    assert record is not None
    assert (record["entry"], record["exit_code"], record["inputs"], record["outputs"]) == ("rollout", 0, {}, {})
    shutil.copy(V1 / "run.json", tmp_path)
    RunRecord(tmp_path, "rollout", "python", 0).start()
    again = read_record(tmp_path)
    assert again is not None and [each["started"] for each in again["earlier"]] == [record["started"]]


def test_a_world_of_version_1_is_read_and_kept_as_it_is(tmp_path: Path) -> None:
    world = read_world(V1)
    assert (world.manifest.name, len(world.manifest.endpoints), world.manifest.http) == ("shop", 9, None)
    (tmp_path / "world").mkdir()
    moved = type(world)(tmp_path / "world", world.manifest)
    write_manifest(moved)
    assert read_world(moved.folder) == moved


def test_rows_of_version_1_are_read() -> None:
    (pair,) = read_rows(V1 / "preference_rows.jsonl")
    (example,) = read_rows(V1 / "sft_rows.jsonl")
    assert isinstance(pair, PreferenceRow) and isinstance(example, SftRow)
    assert pair.tokenizer == example.tokenizer == "5cdfea55982a6535"


def test_a_data_card_and_an_index_of_version_1_are_read() -> None:
    assert read_card(V1 / "card.json")["identity"]["format"] == "preference/1"
    info = read_info(V1)
    assert (info.documents, info.dimensions, info.quantisation) == (2, 512, Quantisation.INT8)


READERS = {
    "trajectories.jsonl": ("trajectory", lambda path: list(read_trajectories(path))),
    "tasks.jsonl": ("task", read_tasks),
    "preference_rows.jsonl": ("preference", lambda path: list(read_rows(path))),
    "sft_rows.jsonl": ("sft", lambda path: list(read_rows(path))),
    "card.json": ("card", read_card),
    SUMMARY: ("summary", lambda path: read_summary(path.parent)),
    "run.json": ("run", lambda path: read_record(path.parent)),
    "world.json": ("world", lambda path: read_world(path.parent)),
    "index.json": ("quantised", lambda path: read_info(path.parent)),
}


@pytest.mark.parametrize("name", READERS)
def test_a_newer_file_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    kind, read = READERS[name]
    content = orjson.loads((V1 / name).read_bytes().splitlines()[0] if name.endswith("l") else (V1 / name).read_bytes())
    path = tmp_path / name
    path.write_bytes(orjson.dumps(content | {"format": f"{kind}/9", "invented": 1}) + b"\n")
    with pytest.raises(DataError, match=f"{name}.* is {kind}/9, written by a newer agentbench; agentbench .* up to"):
        read(path)
