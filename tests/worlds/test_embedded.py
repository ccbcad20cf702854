"""Building, caching and protecting the embedded worlds."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from agentbench.config.source import TaskCounts
from agentbench.config.tasks import Split
from agentbench.errors import PreflightError
from agentbench.worlds.chemistry import extract
from agentbench.worlds.embedded import prepare_embedded
from agentbench.worlds.manifest import World, read_world
from agentbench.worlds.source_files import package_file

FEW = TaskCounts(train=8, validation=4, test=4)
BUILD = """
import sys
from pathlib import Path
from agentbench.config.source import TaskCounts
from agentbench.worlds.embedded import prepare_embedded
print("go", flush=True)
few = TaskCounts(train=8, validation=4, test=4)
print(prepare_embedded("chemistry", 0, few, Path(sys.argv[1]), lambda text: None).folder)
"""


@pytest.fixture(scope="module")
def chemistry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of worlds with one built in it."""
    return prepare_embedded("chemistry", 0, FEW, tmp_path_factory.mktemp("whole"), print).folder.parent


def builder(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", BUILD, str(folder)], stdout=subprocess.PIPE, text=True)


def payload(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.jsonl"))}


def test_a_world_that_was_built_before_is_not_built_again(tmp_path: Path):
    reports: list[str] = []
    first = prepare_embedded("chemistry", 0, FEW, tmp_path, reports.append)
    told, built = len(reports), (first.folder / "world.json").stat().st_mtime_ns
    second = prepare_embedded("chemistry", 0, FEW, tmp_path, reports.append)
    assert (second, len(reports)) == (first, told)
    assert (second.folder / "world.json").stat().st_mtime_ns == built


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path: Path):
    folders = [
        prepare_embedded("chemistry", seed, FEW, tmp_path / name, print).folder
        for seed, name in ((1, "a"), (1, "b"), (2, "c"))
    ]
    first, again, other = map(payload, folders)
    assert first == again
    assert first.keys() == other.keys()
    assert first["tasks/rest/train.jsonl"] != other["tasks/rest/train.jsonl"]


@pytest.mark.parametrize("lost", ["database.sqlite", "index", "tasks/rest/test.jsonl", "tasks", "world.json"])
def test_a_world_that_lacks_a_file_is_built_again(chemistry: Path, tmp_path: Path, lost: str):
    shutil.copytree(chemistry, tmp_path / "worlds")
    folder = next((tmp_path / "worlds").iterdir())
    whole = payload(folder)
    shutil.rmtree(folder / lost) if (folder / lost).is_dir() else (folder / lost).unlink()
    assert prepare_embedded("chemistry", 0, FEW, tmp_path, print).folder == folder
    assert payload(folder) == whole
    assert (folder / "database.sqlite").is_file() and (folder / "index" / "meta.json").is_file()
    assert list((tmp_path / "worlds").iterdir()) == [folder]


def test_a_world_whose_manifest_cannot_be_read_is_built_again(chemistry: Path, tmp_path: Path):
    shutil.copytree(chemistry, tmp_path / "worlds")
    manifest = next((tmp_path / "worlds").glob("*/world.json"))
    manifest.write_text("{")
    prepare_embedded("chemistry", 0, FEW, tmp_path, print)
    assert read_world(manifest.parent).manifest.name == "chemistry"


def interrupted(process: subprocess.Popen[str], timeout_s: float) -> str:
    """What a process wrote to stderr after Ctrl-C; it is killed where that takes too long."""
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=timeout_s)[1]
    finally:
        process.kill()


def test_ctrl_c_is_heeded_while_tasks_are_made(tmp_path: Path):
    code = BUILD.replace("train=8, validation=4, test=4", "train=20000, validation=0, test=0")
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.PIPE, text=True) as process:
        while not list((tmp_path / "worlds").glob(".chemistry-*/index/meta.json")):
            time.sleep(0.02)
        time.sleep(0.5)
        assert interrupted(process, timeout_s=5).endswith("KeyboardInterrupt\n")
    assert not list((tmp_path / "worlds").iterdir())


def test_no_discoverer_is_called_and_others():
    names = {value for item in extract().corpus.stated if item.fact.name == "discoverer" for value in item.values}
    assert "Marie Curie" in str(names)
    assert not [name for name in names if "et al" in str(name)]


def test_other_counts_are_another_world(tmp_path: Path):
    few = prepare_embedded("chemistry", 0, FEW, tmp_path, print)
    fewer = prepare_embedded("chemistry", 0, TaskCounts(train=0, validation=0, test=0), tmp_path, print)
    assert few.folder != fewer.folder
    assert fewer.tasks("rest", "train").read_bytes() == b""


def test_two_builders_at_once_end_with_the_same_world_and_leave_nothing_else(tmp_path: Path):
    outputs = [process.communicate()[0].split() for process in [builder(tmp_path), builder(tmp_path)]]
    assert outputs[0] == outputs[1]
    assert [path.name for path in (tmp_path / "worlds").iterdir()] == [Path(outputs[0][1]).name]


def test_a_builder_that_is_killed_leaves_no_world_and_the_next_one_builds_it(tmp_path: Path):
    with builder(tmp_path) as process:
        while not list((tmp_path / "worlds").glob(".chemistry-*")):
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
    assert not list((tmp_path / "worlds").glob("chemistry-*"))
    assert prepare_embedded("chemistry", 0, FEW, tmp_path, print).tasks("rest", "test").is_file()


def test_what_a_killed_builder_left_is_removed_when_it_is_old_enough(tmp_path: Path):
    name = prepare_embedded("chemistry", 0, FEW, tmp_path / "first", print).folder.name
    old, young = (tmp_path / "worlds" / f".{name}-{age}" for age in ("old", "young"))
    for draft in (old, young):
        draft.mkdir(parents=True)
    os.utime(old, (0, 0))
    prepare_embedded("chemistry", 0, FEW, tmp_path, print)
    assert [old.exists(), young.exists()] == [False, True]


def test_an_unknown_domain_is_refused_with_the_nearest_name(tmp_path: Path):
    with pytest.raises(PreflightError, match="no embedded domain 'chemestry', did you mean 'chemistry'"):
        prepare_embedded("chemestry", 0, FEW, tmp_path, print)


def test_a_missing_data_package_is_named_with_the_command_that_installs_it():
    with pytest.raises(PreflightError, match="'no-such-data' is not installed") as raised:
        package_file("no-such-data", "data.json")
    assert raised.value.next_step == "pip install 'agentbench[worlds]'"


def test_the_database_can_only_be_read(world: World):
    assert stat.S_IMODE(world.database.stat().st_mode) == 0o444


def test_names_are_primary_keys_links_are_foreign_keys_and_asked_columns_have_indexes(worlds):
    with closing(sqlite3.connect(f"file:{worlds.by_name['geography'].database}?mode=ro", uri=True)) as connection:
        keys = [row[5] for row in connection.execute("PRAGMA table_info(cities)") if row[1] == "city"]
        links = [row[2:5] for row in connection.execute("PRAGMA foreign_key_list(cities)")]
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT city FROM cities WHERE country = 'Peru'").fetchall()
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    assert (keys, links, broken) == ([1], [("countries", "country", "country")], [])
    assert "USING INDEX cities_by_country" in plan[0][3]


def test_the_manifest_names_its_source_and_licence(world: World):
    assert read_world(world.folder).manifest == world.manifest
    assert any(licence in world.manifest.attribution for licence in ("CC0", "CC-BY-4.0", "MIT"))


def test_drops_are_reported_by_reason(worlds):
    assert "films: 300 train, 80 validation, 120 test tasks" in worlds.reports[1]
    assert "value of another split" in worlds.reports[1]
    assert len(worlds.tasks("films", Split.TRAIN)) == 300
