"""What a training that plays its own episodes refuses, each in one line."""

from __future__ import annotations

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.config.entry import TrainConfig
from agentbench.config.expert_mode import InformedExpert
from agentbench.config.stage_rl import GrpoStage, OnlineStage
from agentbench.config.tasks import Split
from agentbench.errors import ConfigError

OPENAI = ("model=openai", "model.base_url=http://127.0.0.1:1/v1", "model.name=some", "template=teacher")
HF = ("model=hf", "model.path=base")


def loaded(*overrides: str) -> TrainConfig:
    config = check("train", TrainConfig, read_command_line(overrides)).config
    assert isinstance(config, TrainConfig)
    return config


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (("stage=grpo", "stage.group_size=1"), "stage.group_size: must be greater than or equal to 2, got 1"),
        (("stage=grpo", "stage.temperature=0"), "stage.temperature: must be greater than 0, got 0"),
        (
            ("stage=grpo", "stage.minibatches=3"),
            "stage.minibatches: 8 tasks × 8 episodes = 64 cannot be divided into 3",
        ),
        (("stage=grpo", "trainer.micro_batch=7"), "trainer.micro_batch: 64 episodes of an optimizer step cannot be"),
        (("stage=grpo", "tasks.split=test"), "tasks.split: test would be trained on; choose train"),
        (("stage=grpo", *OPENAI), "model: a model behind a server cannot be trained here"),
        (("stage=grpo", "rows=[a.jsonl]"), "rows: stage=grpo plays its own episodes; leave rows away"),
        (("stage=ppo", "trajectories=[a.jsonl]"), "trajectories: stage=ppo plays its own episodes"),
        (
            ("stage=rloo", *HF, "launcher=deepspeed_zero3"),
            "launcher: stage=rloo plays with whole weights in every process; choose single or accelerate",
        ),
        (
            ("stage=grpo", "launcher=accelerate", "launcher.processes=3"),
            "launcher.processes: 64 episodes of an optimizer step cannot be divided among 3 processes",
        ),
        (
            ("stage=grpo", "launcher=accelerate", "trainer.micro_batch=64"),
            "trainer.micro_batch: 64 episodes of an optimizer step cannot be divided by 64 × 2 processes",
        ),
        (
            ("stage=grpo", "expert_mode=ground_truth"),
            "expert_mode: ground_truth leaves the agent no step to learn from",
        ),
        (("stage=grpo", "expert_mode=human"), "expert_mode: human is not for trainings that play; choose none, random"),
        (("stage=grpo", "agent.top_k=5"), "agent.top_k: only servers know it; leave it away with stage=grpo"),
        (
            ("stage=rloo", "env.branching=random", "agent.temperature=1"),
            "env.branching: stage=rloo cannot credit the steps of a tree",
        ),
        (
            ("stage=grpo", *HF, "model.adapter=a", "stage.beta=0.1"),
            "stage.beta: with lora=none and model.adapter there",
        ),
        (("stage=grpo", "stage.correction=token_mask", "stage.temperature=2"), "stage.correction: engines record"),
        (
            ("stage=grpo", "stage.loss=vespo", "stage.correction=sequence_mask"),
            "stage.correction: the loss vespo needs",
        ),
        (("stage=grpo", "stage.loss=vespo", "stage.ratio=sequence"), "stage.ratio: the loss vespo makes ratios"),
        (("serve=vllm",), "serve: stage=sft plays no episodes; leave serve=vllm away"),
        (("stage=grpo", *HF, "serve=vllm"), "serve: between rollouts a vLLM server takes adapters, not whole weights"),
        (
            ("stage=grpo", *HF, "serve=vllm", "lora=lora", "lora.rank=128"),
            "serve.max_adapter_rank: the trained adapter has rank 128; it needs serve.max_adapter_rank=128",
        ),
        (
            ("stage=grpo", *HF, "serve=vllm", "lora=lora", "model.adapter=a", "lora.create_new_adapter=true"),
            "serve: the server's base is model.path without model.adapter",
        ),
        (("tasks.limit=5",), "tasks: stage=sft plays no tasks; give rows or trajectories"),
        (("expert_mode=informed",), "expert_mode: stage=sft plays no episodes"),
    ],
)
def test_what_cannot_be_is_one_line(overrides: tuple[str, ...], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(*overrides)
    (problem,) = refused.value.problems
    assert problem.startswith(line)


def test_a_limit_alone_still_means_the_training_split() -> None:
    assert loaded("stage=grpo", "tasks.limit=5").tasks.split is Split.TRAIN


def test_a_tiny_student_that_is_there_may_get_an_adapter() -> None:
    assert loaded("stage=grpo", "lora=lora").lora.kind == "lora"


def test_an_expert_may_step_in() -> None:
    assert isinstance(loaded("stage=grpo", "expert_mode=informed").expert_mode, InformedExpert)


@pytest.mark.parametrize("stage", ["grpo", "rloo", "ppo"])
def test_an_optimizer_step_has_its_share_of_a_rollout(stage: str) -> None:
    config = loaded(f"stage={stage}", "stage.tasks_per_step=6", "stage.group_size=4", "stage.minibatches=3").stage
    assert isinstance(config, OnlineStage) and config.batch_size == 8
    assert isinstance(config, GrpoStage) == (stage == "grpo")
