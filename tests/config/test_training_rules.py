"""What parts of a training's configuration rule out in each other."""

from __future__ import annotations

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.config.entry import TrainConfig
from agentbench.errors import ConfigError

ROWS = ("rows=[a.jsonl]", "model=hf", "model.path=base")


def problems(*overrides: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        check("train", TrainConfig, read_command_line(overrides))
    return refused.value.problems


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (("stage=dpo",), "rows"),
        ((*ROWS, "trajectories=[b.jsonl]"), "trajectories"),
        (("validation_rows=[b.jsonl]",), "validation_rows"),
        ((*ROWS, "validation_rows=[a.jsonl]"), "validation_rows"),
        (("lora=lora",), "lora"),
        (("launcher=accelerate",), "launcher"),
        ((*ROWS, "stage=dpo", "lora=lora", "lora.rank=0"), "lora.rank"),
        ((*ROWS, "stage=dpo", "stage.ref_model=adapter"), "stage.ref_model"),
        ((*ROWS, "stage=dpo", "stage.ref_model=path"), "stage.ref_path"),
        ((*ROWS, "stage=dpo", "stage.ref_path=base"), "stage.ref_path"),
        ((*ROWS, "stage=dpo", "stage.loss=exo_pair"), "stage.label_smoothing"),
        ((*ROWS, "stage=dpo", "stage.loss=aot", "stage.use_weighting=true"), "stage.use_weighting"),
        ((*ROWS, "stage=dpo", "stage.loss=aot", "stage.f_divergence=forward_kl"), "stage.f_divergence"),
        ((*ROWS, "stage=dpo", "stage.added_losses=[sft]"), "stage.added_weights"),
        ((*ROWS, "model.adapter=x", "lora=qlora", "lora.create_new_adapter=true"), "lora.create_new_adapter"),
        ((*ROWS, "lora=qlora", "launcher=deepspeed_zero3"), "lora"),
        ((*ROWS, "launcher=accelerate", "launcher.processes=3"), "stage.batch_size"),
        ((*ROWS, "trainer.micro_batch=5"), "stage.batch_size"),
        ((*ROWS, "stage=kto", "trainer.micro_batch=1"), "stage.batch_size"),
        ((*ROWS, "trainer.best_by=accuracy"), "trainer.best_by"),
        ((*ROWS, "stage=dpo", "lora=lora", "stage.sync_ref_every=9"), "stage.sync_ref_every"),
        (
            (*ROWS, "stage=kto", "stage.precompute_ref_log_probs=true", "stage.sync_ref_every=9"),
            "stage.sync_ref_every",
        ),
        ((*ROWS, "stage=dpo", "launcher=deepspeed_zero3", "stage.sync_ref_every=9"), "stage.sync_ref_every"),
        ((*ROWS, "stage=dpo", "validation_rows=[b.jsonl]", "stage.sync_ref_every=9"), "trainer.best_by"),
    ],
)
def test_a_contradiction_is_one_line_that_begins_with_its_key(overrides: tuple[str, ...], key: str) -> None:
    found = problems(*overrides)
    assert len(found) == 1
    assert found[0].startswith(f"{key}: ")


def test_a_launcher_of_episodes_is_told_which_launchers_train() -> None:
    kinds = "single, accelerate, deepspeed_zero2, deepspeed_zero3, fsdp"
    assert problems("launcher=ray") == (f"launcher: 'ray' is none of {kinds}",)


@pytest.mark.parametrize("option", ["lora_rank", "dpo_beta"])
def test_sweeps_of_trainings_compose(option: str) -> None:
    plan = check("train", TrainConfig, read_command_line((*ROWS, "stage=dpo", f"sweep={option}")))
    assert plan.sweep
