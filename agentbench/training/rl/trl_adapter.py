"""The one place between our episodes and TRL's online trainers.

TRL asks for a step's inputs with `_prepare_inputs` and takes log-probabilities from the method
`_get_per_token_logps_and_entropies`; both are replaced. Inputs come from our pool, played by the weights as they are;
log-probabilities are computed of the sampled tokens alone, seen behind everything that came before them. Losses,
clipping, optimizer, schedule and checkpoints are TRL's. (Its own ways in, `rollout_func` and `environment_factory`, are
experimental in 1.16, want one completion per prompt, and count an episode whose environment failed in every mean.)

Dimensions in names: B rows, C completion tokens, L prompt and completion.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any, cast

import torch
from trl.models.utils import disable_gradient_checkpointing
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.rloo_trainer import RLOOTrainer
from trl.trainer.utils import use_adapter

from agentbench.config.stage_rl import Correction, GrpoLoss, GrpoStage, RlooStage
from agentbench.training.rl import batch
from agentbench.training.rl.batch import Episodes, View
from agentbench.training.rl.playing import Inputs, PlaysEpisodes
from agentbench.training.treepack.plan import IGNORED
from agentbench.training.treepack.trainers import TreePacked
from agentbench.training_data.returns import group_advantages, leave_one_out
from agentbench.training_data.rl_rows import RlRow

MEANS_OVER_ROWS = {GrpoLoss.GRPO, GrpoLoss.DR_GRPO, GrpoLoss.SAPO, GrpoLoss.LUSPO}
"""Losses in which every row of an optimizer step counts alike."""

Measured = list[tuple[list[RlRow], Inputs]]
"""The rows of each forward pass, and what is computed of them."""


class _ForTrl(PlaysEpisodes):
    """Gives TRL's trainers inputs of our episodes, and log-probabilities of the sampled tokens."""

    beta: float
    ref_model: Any
    _view: View | None = None

    def compute_loss(
        self, model: torch.nn.Module, inputs: Inputs, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """TRL's own loss; rows of uneven forward passes count alike where TRL takes a mean over rows."""
        self._view = inputs["view"]
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch) * inputs["weight"]

    def _get_per_token_logps_and_entropies(
        self,
        model: torch.nn.Module,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        *_: Any,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **__: Any,
    ) -> Any:
        """TRL's three values, of the sampled tokens alone; 0 for all others, which no loss looks at.

        RLOO knows of one mask, for what is there and for what is scored; here these are two.
        """
        assert self._view is not None
        kept = self._view.sampled_BC.bool()
        labels_BL = torch.full_like(input_ids, IGNORED)
        labels_BL[:, -logits_to_keep:] = input_ids[:, -logits_to_keep:].masked_fill(~kept, IGNORED)
        router = {"output_router_logits": True} if compute_aux_loss else {}
        with self.accelerator.autocast():
            attention = self._view.attention_BL
            found = model(input_ids=input_ids, attention_mask=attention, labels=labels_BL, fused_lm_head=True, **router)
        logps_BC = found.log_probs[:, -logits_to_keep:].masked_fill(~kept, 0.0)
        entropies_BC = found.entropy[:, -logits_to_keep:].masked_fill(~kept, 0.0) if compute_entropy else None
        return logps_BC, entropies_BC, found.aux_loss if compute_aux_loss else None

    def inputs_of(self, episodes: Episodes) -> list[Inputs]:
        """Padded rows with advantages, and with what model and reference make of them before any update."""
        parts = self.parts_of(episodes.rows)
        own, heights = self.ranks.share(parts), self._heights(parts)
        made = [self._measured(part, height) for part, height in zip(own, heights, strict=True)]
        advantages = self._advantages(episodes, list(zip(own, made, strict=True)))
        ends = [*accumulate(map(len, parts))]
        of_parts = [advantages[end - len(part) : end] for part, end in zip(parts, ends, strict=True)]
        for of_part, inputs, height in zip(self.ranks.share(of_parts), made, heights, strict=True):
            inputs["advantages"] = batch.advantage_tensor(of_part, height).to(self.accelerator.device)
        self._weigh(made, parts)
        return made

    def _heights(self, parts: list[list[RlRow]]) -> list[int]:
        """Rows of each of this process's forward passes, as many as any other's at that moment: TRL's figures are
        gathered row by row. What a process has too few is filled up with rows of which nothing is scored."""
        size = self.ranks.size
        turns = [parts[start : start + size] for start in range(0, len(parts), size)]
        return [max(1, *map(len, turn)) for turn in turns]

    def _measured(self, rows: list[RlRow], height: int) -> Inputs:
        """Tensors of some rows, with what model and reference make of them before any update."""
        pad_id = cast(Any, self.processing_class).pad_token_id or 0
        found: Inputs = batch.tensors(rows, pad_id, self.accelerator.device, height)
        sampled_BC = found["tool_mask"]
        found["view"] = View(torch.cat([found["prompt_mask"], found["completion_mask"]], 1), sampled_BC)
        model, checkpointing = cast(Any, self.model), cast(Any, self.args.gradient_checkpointing_kwargs)
        with torch.no_grad(), disable_gradient_checkpointing(model, checkpointing):
            if self._wants_old():
                found["old_per_token_logps"] = self._logps(model, found)
                if self.stage.temperature == 1:
                    gap = engine_gap(found)
                    self.note({"engine_gap": gap})
                    self.refuse_other_weights(gap)
            if self.beta:
                found["ref_per_token_logps"] = self._reference(found)
        return found

    def _wants_old(self) -> bool:
        """Whether ratios are taken to anything but the model at hand."""
        return self.updates_per_rollout > 1 or self.online.rollouts.most_gap is not None

    def _logps(self, model: Any, inputs: Inputs) -> torch.Tensor:
        self._view = inputs["view"]
        ids_BL = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
        values = self._get_per_token_logps_and_entropies(
            model, ids_BL, inputs["view"].attention_BL, inputs["completion_ids"].shape[1]
        )
        return values[0]

    def _reference(self, inputs: Inputs) -> torch.Tensor:
        """By the model as training found it: a copy, or the adapter switched off or back (see `weights`)."""
        if self.ref_model is not None:
            return self._logps(self.ref_model, inputs)
        model: Any = self.accelerator.unwrap_model(self.model)
        with use_adapter(model, adapter_name="ref" if "ref" in model.peft_config else None):
            return self._logps(self.model, inputs)

    def _advantages(self, episodes: Episodes, made: Measured) -> list[float] | list[list[float]]:
        """One for every row, or one for every token of every row, in the order of `episodes.rows`.

        `made` are this process's forward passes.
        """
        raise NotImplementedError

    def _weigh(self, inputs: list[Inputs], parts: list[list[RlRow]]) -> None:
        """Makes up for forward passes with more rows than others, and tells token means what they are taken over."""
        tokens = torch.tensor(float(sum(sum(row.mask) for part in parts for row in part)))
        windows = [parts[start : start + self.window] for start in range(0, len(parts), self.window)]
        rows = [sum(map(len, window)) for window in windows for _ in window]
        for own, of, height in zip(inputs, self.ranks.share(rows), self._heights(parts), strict=True):
            weight = height * self.window / max(1, of) if self._means_over_rows() else 1.0
            own |= {"weight": weight, "num_items_in_batch": tokens.to(self.accelerator.device)}

    def _means_over_rows(self) -> bool:
        return True


class OnlineGrpoTrainer(_ForTrl, GRPOTrainer):  # type: ignore[misc]
    """TRL's GRPOTrainer on our episodes; steps of trees have advantages of their own."""

    stage: GrpoStage

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The loss multiplies with the correction where TRL's own engine would have played; nothing else asks for it.
        self.use_vllm = self.vllm_importance_sampling_correction = self.stage.correction is not Correction.NONE

    def _wants_old(self) -> bool:
        return super()._wants_old() or self.use_vllm

    def _measured(self, rows: list[RlRow], height: int) -> Inputs:
        found = super()._measured(rows, height)
        if self.use_vllm:
            found["importance_sampling_ratio"] = corrected(found, self.stage)
        return found

    def _advantages(self, episodes: Episodes, made: Measured) -> list[float] | list[list[float]]:
        of_rows = batch.row_advantages(episodes, group_advantages(episodes.returns, self.stage.scale))
        return batch.token_advantages(episodes.rows, of_rows)

    def _means_over_rows(self) -> bool:
        return self.stage.loss in MEANS_OVER_ROWS


class OnlineRlooTrainer(_ForTrl, RLOOTrainer):  # type: ignore[misc]
    """TRL's RLOOTrainer on our episodes."""

    stage: RlooStage

    def _wants_old(self) -> bool:
        return True

    def _advantages(self, episodes: Episodes, made: Measured) -> list[float] | list[list[float]]:
        own = [self._penalties(rows, inputs) for rows, inputs in made]
        turns = zip(*self.ranks.gathered(own), strict=True)  # every process's first part, then every one's second …
        penalties = iter([cost for turn in turns for part in turn for cost in part])
        returns = [[one[0].earned - sum(next(penalties) for _ in one) for one in group] for group in episodes.groups]
        return batch.row_advantages(episodes, leave_one_out(returns, self.stage.normalize))

    def _penalties(self, rows: list[RlRow], inputs: Inputs) -> list[float]:
        """β times the log-ratio to the reference, summed over a row (Ahmadian et al. 2024), as TRL takes it."""
        if not self.beta or not rows:
            return [0.0] * len(rows)
        apart_BC = (inputs["old_per_token_logps"] - inputs["ref_per_token_logps"]) * inputs["tool_mask"]
        self.note({"kl": float(apart_BC.sum() / inputs["tool_mask"].sum().clamp(min=1))})
        return (self.beta * apart_BC.sum(1)).tolist()[: len(rows)]

    def inputs_of(self, episodes: Episodes) -> list[Inputs]:
        """The same, with RLOO's one mask and its ratios of whole rows."""
        made = super().inputs_of(episodes)
        for inputs in made:
            inputs["completion_mask"] = inputs["tool_mask"]
            inputs["old_logps"] = (inputs["old_per_token_logps"] * inputs["tool_mask"]).sum(1)
        return made


class _PacksOnline(TreePacked):
    """Packs what `_ForTrl` computes: rows of a task share their prompt, and more where they branch later."""

    def packed_models(self) -> list[Any]:
        """The policy, and the reference model where it is one of its own."""
        reference = cast(Any, self).ref_model
        return [*super().packed_models(), *([] if reference is None else [self.accelerator.unwrap_model(reference)])]


class TreeOnlineGrpoTrainer(_PacksOnline, OnlineGrpoTrainer):  # type: ignore[misc]
    """The same, with tokens that rows share computed once."""


class TreeOnlineRlooTrainer(_PacksOnline, OnlineRlooTrainer):  # type: ignore[misc]
    """The same, with tokens that rows share computed once."""


def engine_gap(inputs: Inputs) -> float:
    """How far the engine's log-probabilities of what it sampled are from the trainer's, in nats per token."""
    apart_BC = (inputs["old_per_token_logps"] - inputs["sampling_per_token_logps"]).abs() * inputs["tool_mask"]
    return float(apart_BC.sum() / inputs["tool_mask"].sum().clamp(min=1))


def corrected(inputs: Inputs, stage: GrpoStage) -> torch.Tensor:
    """How much likelier what was sampled is to the trainer than it was to the engine, cut as configured; as in TRL."""
    apart_BC = (inputs["old_per_token_logps"] - inputs["sampling_per_token_logps"]) * inputs["tool_mask"]
    by_row = stage.correction in (Correction.SEQUENCE_TRUNCATE, Correction.SEQUENCE_MASK)
    ratio = (apart_BC.sum(1, keepdim=True) if by_row else apart_BC).exp()
    if stage.correction in (Correction.TOKEN_TRUNCATE, Correction.SEQUENCE_TRUNCATE):
        return ratio.clamp(max=stage.correction_cap)
    return ratio.masked_fill(ratio > stage.correction_cap, 0.0)
