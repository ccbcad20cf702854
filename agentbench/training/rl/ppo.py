"""Proximal policy optimisation on the episodes of a rollout, as compact as it can be read; TRL 1.16 has none.

A linear head on the model's last hidden states gives every state its value; advantages are estimated over steps, and a
token has its step's. What differs from the textbook: one reward per step and not per token, and, unless
`value_shapes_model` says otherwise, a value loss that trains the head alone, because a small model that also acts would
pay for it. Log-probabilities and values come from one forward pass over the rows as they are, without tree packing.

Dimensions in names: B rows, C completion tokens, L prompt and completion, N sampled tokens, V vocabulary.
"""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any, cast

import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

from agentbench.config.stage_rl import PpoStage
from agentbench.training.rl import batch
from agentbench.training.rl.batch import Episodes
from agentbench.training.rl.playing import Inputs, Online, PlaysEpisodes
from agentbench.training.rl.values import Before, Marks, Ppo, Scored, losses, own_rewards, states, total
from agentbench.training.weights import Trainee
from agentbench.training_data.returns import gae, whitened
from agentbench.training_data.rl_rows import RlRow

VALUE_HEAD = "value_head.safetensors"
"""In a checkpoint: the weights of the value head."""


class PpoTrainer(PlaysEpisodes, Trainer):  # type: ignore[misc]
    """transformers' Trainer with the clipped objective.

    Several processes average their gradients here: what computes a loss is the model without wrappers, and its head.
    """

    stage: PpoStage

    def __init__(
        self,
        trainee: Trainee,
        args: TrainingArguments,
        *,
        online: Online,
        stage: PpoStage,
        callbacks: list[TrainerCallback],
    ) -> None:
        model: Any = (
            trainee.model if trainee.new_adapter is None else get_peft_model(trainee.model, trainee.new_adapter)
        )  # type: ignore[arg-type]
        self.reference = _frozen(model) if stage.beta else None
        super().__init__(
            model=model, args=args, processing_class=trainee.tokenizer, callbacks=callbacks, online=online, stage=stage
        )
        self.ppo = Ppo(stage.clip, stage.value_clip, stage.value_weight, stage.beta, stage.entropy_bonus)
        self.head = nn.Linear(self.bare.config.get_text_config().hidden_size, 1).to(self.args.device, torch.float32)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def inputs_of(self, episodes: Episodes) -> list[Inputs]:
        """Padded rows in an order that is drawn, with values and log-probabilities of the model that played them."""
        rows = list(episodes.rows)
        random.Random(f"{self.args.seed}:{self.rollout}").shuffle(rows)
        parts = self.parts_of(rows)
        own = self.ranks.share(parts)
        made = [self._measured(part) for part in own]
        values = self._values(parts, made)
        estimates = step_estimates(episodes, values, self.stage)
        for part, inputs in zip(own, made, strict=True):
            inputs["before"] = _with_estimates(inputs["before"], part, estimates)
        self._count(made, parts)
        return made

    def _values(self, parts: list[list[RlRow]], made: list[Inputs]) -> dict[int, Tensor]:
        """By the `id` of every row, all processes' together."""
        turns = zip(*self.ranks.gathered([inputs["before"].values_BC.cpu() for inputs in made]), strict=True)
        values = [of_part for turn in turns for of_part in turn]
        pairs = zip(parts, values, strict=True)
        return {id(row): of_part[place] for part, of_part in pairs for place, row in enumerate(part)}

    def training_step(self, model: nn.Module, inputs: Inputs, num_items_in_batch: Any = None) -> Tensor:
        """The trainer's own; gradients of an optimizer step are averaged with its last forward pass."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.accelerator.sync_gradients:
            self.ranks.average_gradients([*self.bare.parameters(), *self.head.parameters()])
        return loss

    def compute_loss(
        self, model: nn.Module, inputs: Inputs, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean over an optimizer step's tokens and states; transformers divides by its forward passes."""
        found = losses(self.scored(self.bare, inputs), inputs["before"], inputs["marks"], self.ppo)
        tokens, places = inputs["tokens"], inputs["states"]
        self.note(
            {
                "policy_loss": float(found.policy.detach()) / tokens,
                "value_loss": float(found.value.detach()) / places,
                "entropy": float(found.entropy.detach()) / tokens,
                "clip_ratio": float(found.clipped) / tokens,
                **({"kl": float(found.kl.detach()) / tokens} if self.ppo.beta else {}),
            }
        )
        return total(found, self.ppo, tokens, places)

    def scored(self, model: PreTrainedModel, inputs: Inputs) -> Scored:
        """Log-probabilities and entropies of the sampled tokens, and values of the states that they were drawn from."""
        ids_BL = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
        mask_BL = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1)
        kept_BC, first = inputs["tool_mask"].bool(), inputs["prompt_ids"].shape[1] - 1
        with self.accelerator.autocast():
            hidden_BLD = model.get_decoder()(input_ids=ids_BL, attention_mask=mask_BL, use_cache=False)[0]
            hidden_ND = hidden_BLD[:, first:-1][kept_BC]
            logits_NV = cast(nn.Module, model.get_output_embeddings())(hidden_ND)
        logp_NV = (logits_NV.float() / self.stage.temperature).log_softmax(-1)
        logp_N = logp_NV.gather(-1, inputs["completion_ids"][kept_BC][:, None])[:, 0]
        seen_ND = hidden_ND if self.stage.value_shapes_model else hidden_ND.detach()
        value_N = self.head(seen_ND.float())[:, 0]
        entropy_N = -(logp_NV.exp() * logp_NV).sum(-1)
        blank_BC = torch.zeros(kept_BC.shape, device=kept_BC.device)
        return Scored(*(blank_BC.masked_scatter(kept_BC, each) for each in (logp_N, entropy_N, value_N)))

    def create_optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        """transformers' own, with the value head as a group that has its own rate."""
        made = super().create_optimizer(*args, **kwargs)
        if not any(parameter is self.head.weight for group in made.param_groups for parameter in group["params"]):
            rate = self.stage.value_learning_rate
            made.add_param_group({"params": [*self.head.parameters()], "lr": rate, "weight_decay": 0.0})
        return made

    def _measured(self, rows: list[RlRow]) -> Inputs:
        pad_id = cast(Any, self.processing_class).pad_token_id or 0
        found: Inputs = batch.tensors(rows, pad_id, self.args.device)
        starts_BC = torch.zeros_like(found["tool_mask"])
        for number, row in enumerate(rows):
            starts_BC[number, [place for _, place in states(row)]] = 1
        found["marks"] = Marks(found["tool_mask"], starts_BC)
        with torch.no_grad():
            now = self.scored(self.bare, found)
            reference = None if self.reference is None else self.scored(self.reference, found).logps_BC
        nothing_BC = torch.zeros_like(now.values_BC)
        found["before"] = Before(now.logps_BC, now.values_BC, nothing_BC, nothing_BC, reference)
        return found

    def _count(self, made: list[Inputs], parts: list[list[RlRow]]) -> None:
        """What the means of an optimizer step are taken over, for each of its forward passes."""
        counts: list[tuple[float, float]] = []
        for start in range(0, len(parts), self.window):
            rows = [row for part in parts[start : start + self.window] for row in part]
            tokens, places = sum(sum(row.mask) for row in rows), sum(len(states(row)) for row in rows)
            counts += [(tokens / self.window, places / self.window)] * self.window
        for inputs, (tokens, places) in zip(made, self.ranks.share(counts), strict=True):
            inputs |= {"tokens": max(1.0, tokens), "states": max(1.0, places)}

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        folder = Path(self.args.output_dir or "") / f"checkpoint-{self.state.global_step}"
        save_file({name: tensor.contiguous() for name, tensor in self.head.state_dict().items()}, folder / VALUE_HEAD)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self.head.load_state_dict(load_file(Path(resume_from_checkpoint) / VALUE_HEAD))


Estimate = dict[int, tuple[float, float]]
"""By step: its advantage, and what the value of its state should have been."""


def step_estimates(episodes: Episodes, values: dict[int, Tensor], stage: PpoStage) -> dict[int, Estimate]:
    """For every row, by its `id`: advantages and value targets of its steps. `values` holds a row's by its `id`."""
    found: list[tuple[list[RlRow], list[int], Any]] = []
    for episode in (episode for group in episodes.groups for episode in group):
        places = [(row, step, place) for row in episode for step, place in states(row)]
        steps = [step for _, step, _ in places]
        known = [float(values[id(row)][place]) for row, _, place in places]
        made = gae(own_rewards(episode[0].rewards, steps), known, stage.gamma, stage.gae_lambda)
        found.append(([row for row, _, _ in places], steps, made))
    advantages = [made.advantages for _, _, made in found]
    if stage.whiten:
        advantages = whitened(advantages)
    estimates: dict[int, Estimate] = {}
    for (rows, steps, made), better in zip(found, advantages, strict=True):
        for row, step, advantage, target in zip(rows, steps, better, made.targets, strict=True):
            estimates.setdefault(id(row), {})[step] = (advantage, target)
    return estimates


def _with_estimates(before: Before, rows: list[RlRow], estimates: dict[int, Estimate]) -> Before:
    pairs_BC2 = torch.zeros((*before.logps_BC.shape, 2))
    for number, row in enumerate(rows):
        known = estimates[id(row)]
        pairs = [known[step] if kept else (0.0, 0.0) for step, kept in zip(row.step_of_token, row.mask, strict=True)]
        pairs_BC2[number, : len(pairs)] = torch.tensor(pairs)
    pairs_BC2 = pairs_BC2.to(before.logps_BC.device)
    return before._replace(advantages_BC=pairs_BC2[..., 0], targets_BC=pairs_BC2[..., 1])


def _frozen(model: Any) -> PreTrainedModel:
    """A copy of the model as training found it; of one with an adapter, the model that holds the adapter's layers."""
    held = copy.deepcopy(model)
    bare = cast(PreTrainedModel, held.get_base_model() if isinstance(held, PeftModel) else held)
    return bare.eval().requires_grad_(False)
