"""The loss covers what the mask says, and the audit says how much that is."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from trl.trainer.dpo_trainer import DataCollatorForPreference

from agentbench.config.launcher import AccelerateLauncher
from agentbench.config.stage import DpoStage, KtoStage, OrpoStage, RefModel, SftStage, StageConfig
from agentbench.errors import DataError
from agentbench.training.collate import MaskedPreferences, MaskedUnpaired
from agentbench.training.data import IGNORED, Limits, Origin, read_table, write_table
from agentbench.training.finetune import finetune
from agentbench.training.job import DATA, Trained, TrainJob
from agentbench.training_data.rows import PreferenceRow
from tests.training.conftest import Job, make_model, preference, supervised

SLOW = {"epochs": 1, "learning_rate": 1e-9, "warmup_ratio": 0}
"""Too slow to change anything: the last loss is the first."""


def train(job: TrainJob) -> Trained:
    return finetune(job, lambda what, step, last, figure: None)


def example(row: PreferenceRow) -> dict[str, Any]:
    names = ("prompt_ids", "chosen_ids", "chosen_mask", "rejected_ids", "rejected_mask")
    return {name: list(dataclasses.asdict(row)[name]) for name in names}


def test_pairs_are_trl_s_batch_with_our_mask() -> None:
    examples = [example(preference(0)), example(preference(1))]
    ours, stock = MaskedPreferences(0)(examples), DataCollatorForPreference(0)(examples)
    assert all(ours[name].equal(stock[name]) for name in ("input_ids", "attention_mask"))
    assert ours["completion_mask"][0].tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0]
    assert stock["completion_mask"][0].tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0]
    assert ours["completion_mask"][3].tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1]


def test_a_neighbour_s_completion_brings_its_own_mask(make_job: Job) -> None:
    job = make_job("kto", [preference(0)], stage=KtoStage(batch_size=2))
    table = read_table(job.folder / DATA / "train")
    assert table is not None
    batch = MaskedUnpaired(0)([dict(row) for row in table.data])
    lengths = batch["KL_completion_mask"].sum(1).tolist()
    assert lengths == batch["completion_mask"].sum(1).tolist()[::-1]
    assert sorted(lengths) == [3, 4]


def test_the_kl_term_s_neighbours_do_not_depend_on_the_number_of_processes(make_job: Job) -> None:
    rows = [preference(number) for number in range(4)]
    stage = KtoStage(batch_size=4)
    jobs = (make_job(str(n), rows, stage=stage, launcher=AccelerateLauncher(processes=n)) for n in (1, 2))
    one, two = (read_table(job.folder / DATA / "train") for job in jobs)
    assert one is not None and two is not None
    assert one.data["KL_completion_ids"][:] == two.data["KL_completion_ids"][:]


@pytest.mark.parametrize(
    "stage", [DpoStage(batch_size=2, **SLOW), KtoStage(batch_size=4, **SLOW), OrpoStage(batch_size=2, **SLOW)]
)
def test_a_masked_token_does_not_change_the_loss(stage: StageConfig, make_job: Job, tmp_path: Path) -> None:
    # It comes after the last action, where no action sees it: only a loss on it tells one from another. The reference
    # is another model, or model and reference would agree on any token.
    if isinstance(stage, DpoStage | KtoStage):
        other = make_model(tmp_path / "other", seed=5)
        stage = dataclasses.replace(stage, ref_model=RefModel.PATH, ref_path=str(other))
    first, second, unmasked = (
        train(make_job(str(number), [ending(pair, *last) for pair in range(2)], stage=stage)).loss
        for number, last in enumerate(((40, 0), (41, 0), (41, 1)))
    )
    assert first == pytest.approx(second, abs=1e-7)
    assert abs(unmasked - second) > 1e-4, "as stock TRL would have it"


def ending(number: int, token: int, kept: int) -> PreferenceRow:
    """A pair whose chosen side has one more token."""
    row = preference(number)
    return dataclasses.replace(row, chosen_ids=(*row.chosen_ids, token), chosen_mask=(*row.chosen_mask, kept))


def test_supervised_rows_keep_their_ids_and_mask(make_job: Job) -> None:
    job = make_job("sft", [supervised(0)], stage=SftStage())
    table = read_table(job.folder / DATA / "train")
    assert table is not None
    row = supervised(0)
    assert table.data[0]["input_ids"] == list(row.input_ids)
    assert table.data[0]["labels"] == [*(IGNORED,) * 3, 23, 24, *(IGNORED,) * 4, 30]


def test_the_audit_counts_what_carries_loss_and_what_stock_trl_would_score(make_job: Job) -> None:
    # Two pairs: (3 + 7) + (3 + 8) tokens each; own 3 + 4, after the prompt 7 + 8.
    rows = [preference(0), preference(1), dataclasses.replace(preference(2), chosen_mask=(0,) * 7)]
    table = read_table(make_job("audit", rows, stage=DpoStage()).folder / DATA / "train")
    assert table is not None
    audit = table.audit
    assert (audit.rows, audit.unscored, audit.tokens, audit.own, audit.stock) == (2, 1, 42, 14, 30)
    assert "14 of 42 tokens (33.3%) carry the loss" in audit.line()
    assert "30, 53.3% of them not the agent's" in audit.line()


def test_kto_takes_a_side_that_many_pairs_share_once(make_job: Job) -> None:
    other = dataclasses.replace(preference(0), rejected_ids=(50, 51), rejected_mask=(1, 1))
    table = read_table(make_job("kto", [preference(0), other], stage=KtoStage(batch_size=2)).folder / DATA / "train")
    assert table is not None
    assert (table.audit.rows, table.audit.repeated) == (3, 1)
    assert len(table.data) == 2, "the third has no neighbour to estimate the KL term from"


def test_rows_that_are_too_long_are_left_out_and_those_beyond_the_context_refused(make_job: Job, tmp_path: Any) -> None:
    rows = [Origin(preference(0), "rows.jsonl", 1)]
    write = {"rows_at_once": 2, "seed": 0, "folder": tmp_path / "table"}
    with pytest.raises(DataError, match=r"rows: none can be trained on: 1 too long"):
        write_table(rows, DpoStage(), Limits(10, None), **write)
    with pytest.raises(DataError, match=r"^rows\.jsonl, line 1: 11 tokens, and the model's context has 10$"):
        write_table(rows, DpoStage(), Limits(20, 10), **write)
