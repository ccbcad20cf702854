"""Tree packing in a training: on by itself where rows share, off in one line where not, and the same result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from safetensors.torch import load_file

from agentbench.config.lora import Lora, LoraConfig, NoLora
from agentbench.config.model import HfModel
from agentbench.config.stage import DpoStage, KtoStage, OrpoStage, SftStage, StageConfig
from agentbench.config.trainer import Attention, BestBy, TrainerConfig
from agentbench.training.data import read_table
from agentbench.training.finetune import finetune
from agentbench.training.job import DATA, PACKING_LOG, TRAINER, Trained, TrainJob
from tests.training.conftest import Job, branching, chosen_steps, supervised

ADAPTER = Lora(rank=2, alpha=4)


def train(job: TrainJob) -> Trained:
    return finetune(job, lambda what, step, last, figure: None)


def said(job: TrainJob) -> list[str]:
    return (job.folder / PACKING_LOG).read_text().splitlines()


def test_steps_mix_eight_trees_unless_told_otherwise(make_job: Job) -> None:
    job = make_job("run", branching(10, 4), stage=DpoStage(batch_size=16), lora=ADAPTER)
    train(job)
    told, checked = said(job)
    # 40 pairs of 2 · 24 + 7 tokens, and 2 · 6 more with each of three further steps: 40 · 55 + 10 · (12 + 24 + 36).
    assert told.startswith("tree packing: 2,920 tokens in rows, ")
    assert told.endswith("; an optimizer step mixes 8 or more of 10 trees")
    assert checked.startswith("tree packing on: 4 rows")


SETUPS = {
    "all weights": (NoLora(), False),
    "a new adapter": (ADAPTER, False),
    "the given adapter": (ADAPTER, True),
    "a new adapter on the given one": (Lora(rank=2, alpha=4, create_new_adapter=True), True),
}


@pytest.mark.parametrize("precompute", [False, True], ids=["asked at every step", "asked beforehand"])
@pytest.mark.parametrize(("lora", "given"), SETUPS.values(), ids=SETUPS)
def test_training_goes_where_it_goes_without(lora: LoraConfig, given: bool, precompute: bool, make_job: Job) -> None:
    # All eight pairs are one step, so that both take the same steps. Adam divides by gradients as small as rounding.
    rows = branching(4, 2)
    stage = DpoStage(batch_size=8, epochs=4, learning_rate=1e-3, precompute_ref_log_probs=precompute)
    changes: dict[str, Any] = {"stage": stage, "lora": lora}
    if given:
        first = make_job("first", rows, stage=DpoStage(batch_size=8, learning_rate=1e-2), lora=ADAPTER)
        train(first)
        changes["model"] = HfModel(path=first.model.path, adapter=first.output)
    tree, stock = make_job("tree", rows, **changes), make_job("stock", rows, tree=False, **changes)
    ours, theirs = train(tree), train(stock)
    assert ours.first_loss == pytest.approx(theirs.first_loss, abs=1e-6)
    assert ours.loss == pytest.approx(theirs.loss, abs=1e-5)
    assert any(line.startswith("tree packing on: ") for line in said(tree))
    assert not (stock.folder / PACKING_LOG).exists()


def test_kto_packs_and_takes_unrelated_completions_for_its_kl_term(make_job: Job) -> None:
    job = make_job("run", branching(8, 2), stage=KtoStage(batch_size=16), lora=ADAPTER)
    train(job)
    assert said(job)[0].endswith("; an optimizer step mixes 8 or more of 8 trees")
    assert said(job)[1].startswith("tree packing on: ")
    table = read_table(job.folder / DATA / "train")
    assert table is not None
    # Every completion begins with a token of its task: 20 + 11 · task, and one or five more.
    task = {20 + 11 * number + more: number for number in range(8) for more in (1, 5)}
    assert all(task[row["KL_completion_ids"][0]] != row["tree"] for row in map(dict, table.data))


@pytest.mark.parametrize(
    ("stage", "rows", "line"),
    [
        (SftStage(batch_size=2), [supervised(number) for number in range(4)], "tree packing off: tokens are shared 1."),
        (OrpoStage(batch_size=2), branching(2, 2), "tree packing off: TRL's ORPO does not get its log-probabilities"),
        (DpoStage(batch_size=2), branching(2, 2), "tree packing off: attn_implementation is 'eager'"),
    ],
    ids=["rows that share nothing", "ORPO", "attention"],
)
def test_where_it_cannot_be_used_one_line_says_why(stage: StageConfig, rows: Any, line: str, make_job: Job) -> None:
    attention: dict[str, Any] = {"attention": Attention.EAGER} if isinstance(stage, DpoStage) else {}
    job = make_job("run", rows, stage=stage, trainer=TrainerConfig(checkpoint_every=None, **attention))
    train(job)
    assert said(job)[-1].startswith(line)


def test_rows_of_the_steps_of_a_trajectory_are_packed_in_supervised_training(make_job: Job) -> None:
    rows = chosen_steps(branching(4, 5))
    job = make_job("run", rows, stage=SftStage(batch_size=20, epochs=1))
    assert train(job).loss == pytest.approx(train(make_job("stock", rows, stage=job.config.stage, tree=False)).loss)
    assert said(job)[1].startswith("tree packing on: ")


def test_a_written_model_does_not_ask_for_our_attention(make_job: Job) -> None:
    job = make_job("run", branching(2, 2), stage=DpoStage(batch_size=4))
    train(job)
    assert said(job)[1].startswith("tree packing on: ")
    assert "tree_sdpa" not in (job.output / "config.json").read_text()


def test_a_packed_training_that_is_gone_on_with_ends_where_an_uninterrupted_one_does(make_job: Job) -> None:
    settings: dict[str, Any] = {
        "stage": DpoStage(batch_size=4, epochs=5, learning_rate=1e-2),
        "lora": ADAPTER,
        "trainer": TrainerConfig(checkpoint_every=4, best_by=BestBy.LAST),
    }
    whole, again = (make_job(name, branching(4, 3), **settings) for name in ("whole", "again"))
    expected = train(whole)  # 15 steps of 4 of 12 pairs, in another order each epoch
    train(again)
    (again.folder / TRAINER / "checkpoint-15" / "complete").unlink()
    assert train(again).loss == expected.loss
    ours, theirs = (load_file(job.output / "adapter_model.safetensors") for job in (again, whole))
    assert all(ours[name].equal(theirs[name]) for name in theirs), "bit for bit"
    assert said(again)[1].startswith("tree packing on: ")


def losses(job: TrainJob) -> list[float]:
    lines = map(orjson.loads, Path(job.folder / "metrics.jsonl").read_bytes().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def test_micro_batches_do_not_change_what_a_step_holds(make_job: Job) -> None:
    settings: dict[str, Any] = {"stage": DpoStage(batch_size=8, epochs=2, learning_rate=1e-3), "lora": ADAPTER}
    one, four = (
        make_job(str(size), branching(8, 3), trainer=TrainerConfig(micro_batch=size), **settings) for size in (8, 2)
    )
    for job in (one, four):
        train(job)
    assert losses(four) == pytest.approx(losses(one), abs=1e-5)
