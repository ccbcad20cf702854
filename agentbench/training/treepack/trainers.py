"""TRL's trainers with tree packing: the same losses, arguments, checkpoints; fewer tokens computed.

Each takes two more keyword arguments, `tree` and `say`, and is TRL's trainer in everything else. Where packing cannot
be used it says why in one line and trains as TRL does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedModel
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from agentbench.training.treepack.check import refusal
from agentbench.training.treepack.forward import Packing, TreeOptions, fused_head_missing, install
from agentbench.training.treepack.order import TREE, MixedSampler, trees_of, trees_per_step
from agentbench.training.treepack.plan import Backend
from agentbench.training.treepack.sharing import Sharing, measure, shape_of

if TYPE_CHECKING:
    from transformers import Trainer as _Host
else:
    _Host = object

MEASURED_BATCHES = 64
"""Batches of the first epoch, evenly spread, whose sharing is reported before training."""


def supported(trainer_class: type) -> str:
    """Why a TRL trainer's log-probabilities cannot be packed; empty where they can.

    The trainer must get them by TRL's fused head (DPO, SFT, KTO, GRPO and RLOO do in TRL 1.16). Whether a given model
    has that head in the shape that is needed is looked up once more when it is made.
    """
    modules = (sys.modules[base.__module__] for base in trainer_class.__mro__)
    if any("add_fused_lm_head" in vars(module) for module in modules):
        return ""
    return f"{trainer_class.__name__} does not get its log-probabilities by TRL's fused head"


class TreePacked(_Host):
    """Put before a TRL trainer among the bases, makes it pack; see `TreeDPOTrainer`.

    Rows are drawn so that every optimizer step mixes trees. Where the data have a column `tree`, and TRL is told to
    leave it (`remove_unused_columns=False`), it says which rows belong together.
    """

    def __init__(
        self, *args: Any, tree: TreeOptions | None = None, say: Callable[[str], None] = print, **kwargs: Any
    ) -> None:
        self.packing = Packing(tree or TreeOptions(), say)
        """Whether packing is on, why not, and how many batches and tokens it took."""
        self._installed: list[PreTrainedModel] = []
        super().__init__(*args, **kwargs)
        self.install_packing()

    def install_packing(self) -> None:
        """Prepares the policy and the reference model, if there is one; a second call does nothing."""
        models = [model for model in self.packed_models() if _bare(model) not in self._installed]
        reason = supported(type(self)) or self.arguments_against() or self._backend_missing()
        reasons = [reason, *(refusal(model) or fused_head_missing(_bare(model)) for model in models)]
        for reason in filter(None, reasons):
            self.packing.stop(reason)
        if self.packing.reason:
            return
        if self.packing.options.max_packed_tokens is not None and self._sharded():
            self.packing.options = replace(self.packing.options, max_packed_tokens=None)
            self.packing.say("tree packing: one layout per batch, as processes that share weights must keep in step")
        for model in models:
            install(_bare(model), self.packing)
            self._installed.append(_bare(model))

    def packed_models(self) -> list[PreTrainedModel | PeftModel]:
        """The models whose log-probabilities are packed, without their parallel wrappers."""
        return [self.accelerator.unwrap_model(self.model)]

    def arguments_against(self) -> str:
        """Why the trainer's own settings rule packing out; empty if they do not."""
        parallelism = self.accelerator.parallelism_config
        if parallelism is not None and (parallelism.cp_enabled or parallelism.sp_enabled):
            return "context and sequence parallelism cut rows"
        if self.args.n_gpu > 1:
            return "several GPUs in one process copy the model; start a process for each (launcher=accelerate)"
        return "torch_compile would compile every tree anew" if self.args.torch_compile else ""

    def _backend_missing(self) -> str:
        flex = self.packing.options.backend is Backend.FLEX
        return "FlexAttention has no backward pass on a CPU" if flex and self.args.device.type == "cpu" else ""

    def _sharded(self) -> bool:
        plugin = self.args.deepspeed_plugin
        return self.is_fsdp_enabled or (plugin is not None and plugin.zero_stage == 3)

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int] | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if self.packing.reason or not isinstance(dataset, Dataset):
            return super()._get_train_sampler(train_dataset)
        tree_of = dataset[TREE][:] if TREE in dataset.column_names else None
        if self.args.train_sampling_strategy == "sequential":
            mixed, order = None, list(range(len(dataset)))
        else:
            rows = cast(Any, dataset.with_format("numpy"))
            seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
            mixed = MixedSampler(trees_of(rows, tree_of, self._step_rows()), self._step_rows(), seed)
            order = list(mixed)
        self._report(dataset, order, tree_of)
        return super()._get_train_sampler(train_dataset) if self.packing.reason or mixed is None else mixed

    def _step_rows(self) -> int:
        """Rows of an optimizer step, all processes together."""
        return self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size

    def _report(self, dataset: Dataset, order: list[int], tree_of: list[int] | None) -> None:
        """Says what packing will save and what a step mixes, or stops it where it saves too little."""
        size = self.args.train_batch_size
        try:
            sharing = self.sharing(dataset, [order[start : start + size] for start in range(0, len(order), size)])
        except NotImplementedError as reason:
            self.packing.stop(str(reason))
            return
        mixes = "" if tree_of is None else _mixes(tree_of, order, self._step_rows())
        self.packing.say(f"{sharing}{mixes}")
        least = self.packing.options.least_sharing
        if sharing.ratio < least:
            self.packing.stop(f"tokens are shared {sharing.ratio:.2f} times, less than {least:g}")

    def sharing(self, dataset: Dataset, batches: list[list[int]]) -> Sharing:
        """What packing saves on batches of a data set that TRL has prepared; on some of them where there are many.

        Raises:
            NotImplementedError: the trainer's batches are not made of padded rows.
        """
        every = max(1, len(batches) // MEASURED_BATCHES)
        collated = (cast(Any, self.data_collator)([dataset[row] for row in batch]) for batch in batches[::every])
        return measure(collated, shape_of(_bare(self.packed_models()[0])), len(batches))


if TYPE_CHECKING:
    _PreferenceHost = DPOTrainer
else:
    _PreferenceHost = object


class TreePackedPreference(TreePacked, _PreferenceHost):
    """The same for trainers with a reference model, and with its log-probabilities computed in advance if asked for."""

    def packed_models(self) -> list[PreTrainedModel | PeftModel]:
        """The policy, and the reference model where it is one of its own."""
        reference = [] if self.ref_model is None else [self.accelerator.unwrap_model(self.ref_model)]
        return [self.accelerator.unwrap_model(self.model), *reference]

    def compute_ref_log_probs(self, model: Any, inputs: dict[str, Any]) -> Any:
        """TRL's, packed; TRL calls it before its own initialisation ends."""
        self.install_packing()
        return super().compute_ref_log_probs(model, inputs)


class TreeDPOTrainer(TreePackedPreference, DPOTrainer):
    """TRL's DPOTrainer; all its losses."""


class TreeKTOTrainer(TreePackedPreference, KTOTrainer):  # type: ignore[misc]
    """TRL's KTOTrainer. Its data keeps its order, as it estimates a divergence from rows of one batch: bring it into
    `order.mixed_order` before."""


class TreeSFTTrainer(TreePacked, SFTTrainer):
    """TRL's SFTTrainer, for rows of which many begin alike: one per step of a trajectory."""

    def arguments_against(self) -> str:
        """Settings that make the loss from whole logits, or rows of several examples."""
        arguments = cast(SFTConfig, self.args)
        if arguments.packing or arguments.padding_free:
            return "packing and padding_free put unrelated rows into one; switch them off"
        if arguments.label_smoothing_factor or self.compute_loss_func is not None:
            return "label smoothing and compute_loss_func need all logits"
        return super().arguments_against()


def _mixes(tree_of: list[int], order: list[int], step_rows: int) -> str:
    mixed = trees_per_step(tree_of, order, step_rows)
    return f"; an optimizer step mixes {mixed} or more of {len(set(tree_of))} trees"


def _bare(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    return cast(PreTrainedModel, model.get_base_model()) if isinstance(model, PeftModel) else model
