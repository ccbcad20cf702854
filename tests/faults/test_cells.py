"""A few cells of the fault matrix; `make faults` plays all of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agentbench.config.source import TaskCounts
from agentbench.worlds.embedded import prepare_embedded
from experiments.faults.bench import Bench, Whole, undisturbed
from experiments.faults.disks import NoNamespace
from experiments.faults.entries import ROWS
from experiments.faults.kitchen import Kitchen
from experiments.faults.matrix import COLUMNS, impossible
from experiments.faults.model_server import model_server

(ROLLOUT,) = [row for row in ROWS if row.row == "rollout"]


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    """As much as a rollout with a model behind a server reads."""
    made = Kitchen(tmp_path_factory.mktemp("kitchen"))
    counts = TaskCounts(train=0, validation=0, test=24)
    world = prepare_embedded("films", 0, counts, made.folder / "cache", lambda line: None)
    shutil.copytree(world.folder, made.world)
    return made


@pytest.fixture(scope="module")
def whole(kitchen: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return undisturbed(ROLLOUT, kitchen, tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize("fault", ["kill -9", "SIGINT", "full disk", "model 5xx"])
def test_a_rollout_meets_a_fault_and_nothing_is_lost(
    fault: str, kitchen: Kitchen, whole: Whole, tmp_path: Path
) -> None:
    (column,) = [column for column in COLUMNS if column.name == fault]
    try:
        with model_server() as server:
            bench = Bench(ROLLOUT, kitchen, tmp_path, seed=0)
            bench.server = server
            column.meet(bench, whole)
    except NoNamespace as problem:
        pytest.skip(f"no file system can be mounted here: {problem}")


def test_every_cell_is_played_or_says_why_it_cannot_be() -> None:
    whys = [impossible(row.row, column.name) for row in ROWS for column in COLUMNS]
    assert len(whys) == len(ROWS) * len(COLUMNS) == 240  # 10 entry points, trainings by kind, and 24 faults
    assert all(why == "" or len(why.split()) >= 2 for why in whys)
    assert all(impossible("rollout", column.name) == "" for column in COLUMNS if column.name != "worker killed")
