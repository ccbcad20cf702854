"""Our own PPO: every formula by hand, and a training that follows its rewards."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from agentbench.config.lora import Lora
from agentbench.config.stage_rl import PpoStage
from agentbench.config.trainer import TrainerConfig
from agentbench.training.rl.batch import Rules, episodes_of
from agentbench.training.rl.ppo import VALUE_HEAD
from agentbench.training.rl.values import Before, Losses, Marks, Ppo, Scored, losses, own_rewards, states, total
from agentbench.training_data.returns import RewardWeights
from agentbench.training_data.rl_rows import rl_rows
from agentbench.types import StepCategory
from tests.training.rl.conftest import MICRO, Make, answer_odds, groups
from tests.training_data.episodes_for_rl import two_steps

WEIGHTS = RewardWeights(dict.fromkeys(StepCategory, 0.0))
PPO = Ppo(clip=0.2, value_clip=None, value_weight=0.5, beta=0.0, entropy_bonus=0.0)
STAGE = PpoStage(steps=2, tasks_per_step=2, group_size=4, learning_rate=1e-3, whiten=False, minibatches=1)


def row(*numbers: float) -> torch.Tensor:
    return torch.tensor([numbers])


def found(ratio: float, advantage: float, ppo: Ppo = PPO, value: float = 0.0, old: float = 0.0) -> Losses:
    """Of one token that is a state too, whose value should have been 1."""
    now = Scored(row(ratio).log(), row(0.5), row(value))
    before = Before(row(0.0), row(old), row(advantage), row(1.0))
    return losses(now, before, Marks(row(1), row(1)), ppo)


@pytest.mark.parametrize(
    ("ratio", "advantage", "gain", "clipped"),
    [
        (1.1, 2.0, 2.2, 0),  # inside the clip: r A
        (1.5, 2.0, 2.4, 1),  # min(3.0, 1.2 · 2)
        (0.5, 2.0, 1.0, 0),  # min(1.0, 0.8 · 2): what got worse may come back
        (0.5, -2.0, -1.6, 1),  # min(−1.0, 0.8 · −2)
        (1.5, -2.0, -3.0, 0),  # min(−3.0, 1.2 · −2)
    ],
)
def test_the_clipped_objective(ratio: float, advantage: float, gain: float, clipped: int) -> None:
    made = found(ratio, advantage)
    assert made.policy.item() == pytest.approx(-gain) and made.clipped.item() == clipped


def test_the_value_loss_is_the_squared_distance_to_the_target() -> None:
    assert found(1.0, 0.0, value=0.4).value.item() == pytest.approx(0.36)


def test_a_clipped_value_is_judged_by_the_worse_of_both() -> None:
    """From 0 to 0.9, but no further than 0.2: max(0.1², 0.8²); on the way back, from 2 to 0.5: max(0.5², 0.8²)."""
    clip = PPO._replace(value_clip=0.2)
    assert found(1.0, 0.0, clip, value=0.9).value.item() == pytest.approx(0.64)
    assert found(1.0, 0.0, clip, value=0.5, old=2.0).value.item() == pytest.approx(0.64)


def test_the_terms_are_added_up_with_their_weights() -> None:
    """−6 / 3 + 0.1 · 3 / 3 − 0.01 · 9 / 3 + 0.5 · 4 / 2 = −2 + 0.1 − 0.03 + 1."""
    each = Losses(*(torch.tensor(number) for number in (-6.0, 4.0, 3.0, 9.0, 0.0)))
    weights = PPO._replace(beta=0.1, entropy_bonus=0.01)
    assert total(each, weights, tokens=3, states_=2).item() == pytest.approx(-0.93)


def test_the_kl_term_is_zero_at_the_reference_and_above_elsewhere() -> None:
    """With ln(p_ref / p) = ln 2: 2 − ln 2 − 1 = 0.3069."""
    now = Scored(row(0.0), row(0.0), row(0.0))
    before = Before(row(0.0), row(0.0), row(0.0), row(0.0), reference_BC=row(2.0).log())
    assert losses(now, before, Marks(row(1), row(1)), PPO).kl.item() == pytest.approx(0.30685, abs=1e-5)
    assert found(1.0, 1.0).kl.item() == 0.0


def test_a_state_is_where_a_step_begins() -> None:
    """5 6 | 8 9 | 7 2: the call begins at 0, the answer at 4."""
    (made,) = rl_rows(two_steps(True), WEIGHTS, 100).rows
    assert states(made) == ((0, 0), (1, 4))


def test_what_an_expert_earns_counts_for_the_agents_step_before() -> None:
    """Steps 1 and 3 are the agent's; what came before its first step is nobody's."""
    assert own_rewards((9.0, 1.0, 2.0, 4.0), (1, 3)) == (3.0, 4.0)


def test_tokens_have_the_advantage_of_their_step(make_trainer: Make) -> None:
    """A new value head says 0 everywhere. With γ = λ = 1 an advantage is what is still to be earned.

    A gold call 0.2, a right answer 1 + 1: 2.2 for the call's tokens and 2 for the answer's.
    """
    trainer = make_trainer(dataclasses.replace(STAGE, gae_lambda=1.0), [two_steps(True)])
    (inputs,) = made_inputs(trainer)
    before = inputs["before"]
    assert before.advantages_BC[0].tolist() == pytest.approx([2.2, 2.2, 0.0, 0.0, 2.0, 2.0])
    assert before.targets_BC[0].tolist() == pytest.approx([2.2, 2.2, 0.0, 0.0, 2.0, 2.0])
    assert inputs["marks"].states_BC[0].tolist() == [1, 0, 0, 0, 1, 0]


def test_values_are_read_where_the_first_token_of_a_step_is_drawn_from(make_trainer: Make) -> None:
    """Prompt 1 3, then 5 6 8 9 7 2: hidden states of 3 (place 1) and 9 (place 5)."""
    trainer = make_trainer(STAGE, [two_steps(True)])
    torch.nn.init.ones_(trainer.head.weight)
    (inputs,) = made_inputs(trainer)
    ids = torch.tensor([[1, 3, 5, 6, 8, 9, 7, 2]])
    hidden = trainer.bare.get_decoder()(input_ids=ids)[0].sum(-1)[0].detach()
    assert torch.allclose(inputs["before"].values_BC[0, [0, 4]], hidden[[1, 5]], atol=1e-5)


def test_log_probabilities_are_those_of_trls_forward(make_trainer: Make) -> None:
    trainer = make_trainer(STAGE, [two_steps(True)])
    (inputs,) = made_inputs(trainer)
    logits = trainer.bare(input_ids=torch.tensor([[1, 3, 5, 6, 8, 9, 7, 2]])).logits.log_softmax(-1)[0].detach()
    expected = [logits[1, 5], logits[2, 6], 0.0, 0.0, logits[5, 7], logits[6, 2]]
    assert inputs["before"].logps_BC[0].tolist() == pytest.approx([float(each) for each in expected], abs=1e-5)


def test_the_value_head_learns_alone_unless_it_may_shape_the_model(make_trainer: Make) -> None:
    alone = value_gradient(make_trainer(STAGE, [two_steps(True)]))
    shaping = value_gradient(make_trainer(dataclasses.replace(STAGE, value_shapes_model=True), [two_steps(True)]))
    assert alone == 0.0 and shaping > 0.0


@pytest.mark.parametrize("lora", [None, Lora(rank=2)], ids=["whole", "adapter"])
def test_a_training_follows_what_is_rewarded(lora: Lora | None, make_trainer: Make) -> None:
    """Between 7 2 and 9 2 as answers, the first succeeds."""
    answers = enumerate((True, True, False, False))
    played = [two_steps(good, (5, 6), (7 if good else 9, 2), sample=number) for number, good in answers]
    stage = dataclasses.replace(STAGE, steps=8, learning_rate=3e-3, value_learning_rate=1e-2)
    trainer = make_trainer(stage, played, trainer=MICRO, **({"lora": lora} if lora else {}))
    before = answer_odds(trainer)
    trainer.train()
    assert answer_odds(trainer) > before
    values = [entry["value_loss"] for entry in trainer.state.log_history if "value_loss" in entry]
    assert values[-1] < values[0]


def test_all_terms_together_give_a_finite_step(make_trainer: Make) -> None:
    every = {"beta": 0.1, "value_clip": 0.2, "entropy_bonus": 0.01, "value_shapes_model": True, "whiten": True}
    trainer = make_trainer(dataclasses.replace(STAGE, steps=1, minibatches=2, **every), groups())
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "kl" in entry]
    assert len(logged) == 4 and logged[0]["kl"] == 0.0 and logged[-1]["kl"] > 0.0


def test_a_checkpoint_holds_the_value_head_and_its_optimizer(make_trainer: Make) -> None:
    trainer = make_trainer(STAGE, groups(), trainer=TrainerConfig(checkpoint_every=1))
    trainer.train()
    folder = max(trainer_folder(trainer).glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    assert folder.name == "checkpoint-4"
    assert torch.equal(load_file(folder / VALUE_HEAD)["weight"], trainer.head.weight.detach())
    again = make_trainer(dataclasses.replace(STAGE, steps=3), groups())
    again.train(resume_from_checkpoint=str(folder))
    assert again.state.global_step == 6 and again.online.rollouts.steps == [2], "the rollout that was left"


def made_inputs(trainer: Any) -> list[dict[str, Any]]:
    given = trainer.online.rollouts.trajectories
    return trainer.inputs_of(episodes_of(given, Rules(trainer.online.weights, 100, trainer.stage.drop_equal_groups)))


def value_gradient(trainer: Any) -> float:
    """Of all the model's weights, by the value loss alone."""
    torch.nn.init.ones_(trainer.head.weight)
    (inputs, *_) = made_inputs(trainer)
    trainer.ppo = trainer.ppo._replace(value_weight=1.0)
    inputs["before"] = inputs["before"]._replace(advantages_BC=torch.zeros_like(inputs["before"].advantages_BC))
    trainer.compute_loss(trainer.model, inputs).backward()
    return sum(float(weight.grad.abs().sum()) for weight in trainer.model.parameters() if weight.grad is not None)


def trainer_folder(trainer: Any) -> Path:
    return Path(trainer.args.output_dir)
