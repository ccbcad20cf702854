"""What TensorBoard finds in a run's folder."""

from __future__ import annotations

import pytest

from agentbench.reporting.trackers import Counted, RunFacts, Table
from agentbench.reporting.trackers.tensorboard import FOLDER, start_tensorboard

pytest.importorskip("tensorboardX", reason="tensorboard is an optional extra")
accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def test_curves_final_figures_and_tables_come_back_from_the_event_file(facts: RunFacts) -> None:
    run = start_tensorboard(facts)
    run.log({"running/success": 0.5}, 3, Counted.EPISODES)
    run.table("trajectories", Table(("question", "success"), [("a | b\n<script>", True)]))
    run.finish({"success": 0.75}, 0)
    found = accumulator.EventAccumulator(str(facts.folder / FOLDER))
    found.Reload()
    assert [(event.step, event.value) for event in found.Scalars("running/success")] == [(3, 0.5)]
    assert found.Scalars("final/success")[0].value == 0.75
    (table,) = found.Tensors("trajectories/text_summary")
    rows = table.tensor_proto.string_val[0].decode().splitlines()
    assert rows == ["| question | success |", "| --- | --- |", "| a \\| b<br>&lt;script> | True |"]
    assert "agentbench.rollout" in str(found.Tensors("lineage/text_summary")[0].tensor_proto)
