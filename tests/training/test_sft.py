"""Training on exact tokens: the loss, the mask, and a model that learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM
from trl.trainer.sft_trainer import SFTTrainer

from agentbench.config.stage import SftStage
from agentbench.templates.tiny import CONTROL_TOKENS, END, PAD
from agentbench.training.sft import ScoredTokensTrainer, Trainee, train_sft
from agentbench.training.tiny import Architecture, CopyingTask, new_student, teach_copying, train_tokenizer
from agentbench.training_data.sft import SftRow

SMALL = Architecture(hidden_size=32, layers=2, heads=2, max_length=128)
STAGE = SftStage(epochs=1, batch_size=2, learning_rate=1e-3)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer([" Who directed Heat? 1995"], 600, CONTROL_TOKENS, end=END, pad=PAD)


def rows(count: int) -> list[SftRow]:
    """Rows of five to eight tokens; only the last two of each are scored."""
    made = []
    for number in range(count):
        ids = tuple(20 + (7 * number + place) % 200 for place in range(5 + number % 4))
        made.append(SftRow(str(number), ids, (0,) * (len(ids) - 2) + (1, 1)))
    return made


def weights(tokenizer: PreTrainedTokenizerFast, trainer: type[SFTTrainer], folder: Path) -> dict[str, torch.Tensor]:
    model = new_student(SMALL, tokenizer, seed=3)
    report = lambda step, last, loss: None  # noqa: E731
    train_sft(Trainee(model, tokenizer), rows(8), STAGE, 0, folder=folder, report=report, trainer_class=trainer)
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def test_scoring_only_the_masked_tokens_trains_as_trl_does(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    stock, ours = (weights(tokenizer, kind, tmp_path) for kind in (SFTTrainer, ScoredTokensTrainer))
    worst = max((stock[name] - ours[name]).abs().max().item() for name in stock)
    assert worst < 1e-5, "weights after four optimizer steps differ"


def test_the_loss_is_the_mean_over_scored_tokens_alone(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model: Qwen3ForCausalLM = new_student(SMALL, tokenizer, seed=3)
    row = rows(1)[0]
    with torch.no_grad():
        logprobs = model(torch.tensor([row.input_ids])).logits[0].log_softmax(-1)
    last = len(row.input_ids) - 1
    by_hand = -sum(logprobs[place - 1, row.input_ids[place]].item() for place in (last - 1, last)) / 2
    stage = SftStage(epochs=1, batch_size=1, learning_rate=1e-9, warmup_ratio=0)
    losses: list[float] = []
    train_sft(
        Trainee(model, tokenizer),
        [row] * 10,
        stage,
        0,
        folder=tmp_path,
        report=lambda step, last, loss: losses.append(loss),
        trainer_class=ScoredTokensTrainer,
    )
    assert losses == [pytest.approx(by_hand, abs=1e-4)]


def test_copying_stops_when_it_is_good_enough_and_is_the_same_every_time(tokenizer: PreTrainedTokenizerFast) -> None:
    task = CopyingTask(steps=40, batch_size=4, shortest=4, longest=6, enough=0.0)
    steps: list[int] = []
    shares = [
        teach_copying(new_student(SMALL, tokenizer, seed=0), task, 7, lambda step, share: steps.append(step))
        for _ in range(2)
    ]
    assert steps == [10, 10]
    assert shares[0] == shares[1]


@pytest.mark.slow
def test_a_student_learns_to_copy_what_it_never_saw(tokenizer: PreTrainedTokenizerFast) -> None:
    model = new_student(Architecture(hidden_size=96, layers=2, heads=4, max_length=128), tokenizer, seed=0)
    assert teach_copying(model, CopyingTask(), 0, lambda step, share: None) > 0.9


def test_digits_and_names_come_back_from_the_tokenizer(tokenizer: PreTrainedTokenizerFast) -> None:
    text = " get_film_year Žižek 20457 “x”"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
