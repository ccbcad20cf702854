"""A model's forward pass over packed layouts, in the place of the one call by which TRL gets log-probabilities.

TRL's trainers call `model(**batch, labels=…, fused_lm_head=True)` and read log-probabilities and a few statistics per
token; their losses do the rest. `install` stands before that call: a batch that can be packed is packed, TRL's own head
scores the sites alone, and the scores go back to where the rows have them. All else passes through. The policy, the
policy with its adapter off and a reference model are treated alike.

Dimensions in names: B rows, L padded length, N tokens of a layout, S sites.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from agentbench.training.treepack.attention import NAME
from agentbench.training.treepack.check import difference, rope_limit, rows_to_check, tolerance
from agentbench.training.treepack.plan import IGNORED, Backend, Layout, Packed, Plan, pack
from agentbench.types import record

PER_TOKEN = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")
"""Fields of TRL's fused output that hold one value per token."""
HANDLED = {
    *("input_ids", "attention_mask", "labels", "fused_lm_head"),
    *("use_cache", "output_router_logits", "num_items_in_batch", "return_dict"),
}
"""Arguments of the call that packing understands; a batch with any other is left to the stock path."""


@record
class TreeOptions:
    """How tree packing is done."""

    backend: Backend = Backend.SDPA_CHAIN
    max_packed_tokens: int | None = 32_768
    """Tokens of one layout at most. A batch above it takes several forward passes, each computed once more in the
    backward pass, so that memory is that of one; `None` for a single layout always."""
    least_sharing: float = 1.3
    """Batches whose tokens are shared less than this, on average, take the stock path."""
    check_rows: int = 4
    """Rows of the first batch whose log-probabilities are compared with the stock path's; 0 compares none."""


class Packing:
    """What the models of one trainer share: options, the state of things, counts. `say` prints one line."""

    def __init__(self, options: TreeOptions, say: Callable[[str], None]) -> None:
        self.options = options
        self.reason = ""
        """Why packing is off; empty while it is on."""
        self.packed_batches = 0
        self.raw_tokens = 0
        """Tokens of the packed batches' rows."""
        self.packed_tokens = 0
        """Tokens that were computed for them."""
        self.stock_batches: Counter[str] = Counter()
        """Batches that took the stock path while packing was on, by reason."""
        self._say = say
        self._said: set[str] = set()

    def say(self, line: str) -> None:
        """Prints a line the first time."""
        if line not in self._said:
            self._said.add(line)
            self._say(line)

    def stop(self, reason: str) -> None:
        """Everything takes the stock path from here on."""
        self.reason = reason
        self.say(f"tree packing off: {reason}")

    def passed(self, reason: str) -> None:
        """One batch took the stock path."""
        self.stock_batches[reason] += 1
        self.say(f"tree packing: batches go the stock way where {reason}")

    def packed(self, batch: Packed) -> None:
        """One batch was packed."""
        self.packed_batches += 1
        self.raw_tokens += batch.raw_tokens
        self.packed_tokens += batch.tokens


def fused_head_missing(model: PreTrainedModel) -> str:
    """Why TRL's call cannot be replaced in this model; empty where it can."""
    parameters = inspect.signature(model.forward, follow_wrapped=False).parameters
    if {"fused_lm_head", "shift_labels"} <= set(parameters):
        return ""
    return "this version of TRL gets its log-probabilities in another way (no fused_lm_head and shift_labels)"


def install(model: PreTrainedModel, packing: Packing) -> None:
    """Puts packing before TRL's fused forward. The bare model is meant, not its PEFT or parallel wrapper."""
    prepare(model)
    forward = _PackedForward(model, model.forward, packing)

    @functools.wraps(type(model).forward)
    def packed_forward(self: PreTrainedModel, *args: Any, **kwargs: Any) -> Any:
        return forward(*args, **kwargs)

    model.forward = types.MethodType(packed_forward, model)


def agreed(answer: bool, device: torch.device) -> bool:
    """Whether every process of a training says yes. All must ask at the same point.

    Processes that share weights compute in step: what one does beside its batch, all must do.
    """
    if not torch.distributed.is_initialized():
        return answer
    least = torch.tensor(int(answer), device=device)
    torch.distributed.all_reduce(least, torch.distributed.ReduceOp.MIN)
    return bool(least.item())


def prepare(model: PreTrainedModel) -> None:
    """Teaches a model's attention and backbone packed layouts; forward passes without `tree=` stay what they are.

    With a plan as `tree`, the backbone gives the hidden states of the plan's sites alone, as (1, S, D).
    """
    model.set_attn_implementation(NAME)
    model.base_model.register_forward_pre_hook(_without_mask, with_kwargs=True)
    model.base_model.register_forward_hook(_sites_only, with_kwargs=True)


def _without_mask(module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
    """A mask of four dimensions is left alone by transformers; it would make one of all pairs of tokens otherwise."""
    if kwargs.get("tree") is None:
        return None
    return args, {**kwargs, "attention_mask": torch.zeros(1, 1, 1, 1, device=kwargs["input_ids"].device)}


def _sites_only(module: torch.nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> Any:
    plan: Plan | None = kwargs.get("tree")
    if plan is not None:
        output.last_hidden_state = output.last_hidden_state[:, plan.site_S]
    return output


class _PackedForward:
    """Decides for every call whether it is packed, and runs those that are."""

    def __init__(self, model: PreTrainedModel, stock: Callable[..., Any], packing: Packing) -> None:
        self._model, self._stock, self._packing = model, stock, packing
        config = model.config.get_text_config().to_dict()
        self._limit = rope_limit(config)
        self._wants_router = bool(config.get("output_router_logits"))
        self._router_weight = float(config.get("router_aux_loss_coef") or 0.0)
        self._checked = packing.options.check_rows == 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("fused_lm_head") or kwargs.get("labels") is None or self._packing.reason:
            return self._stock(*args, **kwargs)
        batch = self._packable(args, kwargs)
        if not self._checked and agreed(batch is not None, self._model.device):
            self._check(kwargs)
            self._checked = True
        if batch is None or self._packing.reason:
            return self._stock(*args, **kwargs)
        self._packing.packed(batch)
        return self._run(batch, kwargs)

    def _packable(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Packed | None:
        try:
            return self._pack(args, kwargs)
        except NotImplementedError as reason:
            self._packing.passed(str(reason))
            return None

    def _pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Packed:
        given = {name for name, value in kwargs.items() if value is not None and value is not False}
        others = sorted(given - HANDLED)
        if args or others:
            raise NotImplementedError(f"they come with {', '.join(others) or 'positional arguments'}")
        if kwargs.get("attention_mask") is None:
            raise NotImplementedError("they have no attention mask, as TRL's own packing makes them")
        width = kwargs["input_ids"].shape[1]
        if self._limit is not None and width > self._limit:
            raise NotImplementedError(f"rows are longer than {self._limit} tokens, where this model's RoPE changes")
        batch = self._packed(kwargs)
        least = self._packing.options.least_sharing
        if batch.sharing < least:
            raise NotImplementedError(f"tokens are shared less than {least:g} times")
        return batch

    def _packed(self, kwargs: dict[str, Any]) -> Packed:
        options = self._packing.options
        router = bool(kwargs.get("output_router_logits")) or self._wants_router
        # A router's auxiliary loss is a product of means over all tokens: no sum over several layouts.
        budget = None if router else options.max_packed_tokens
        layout = Layout(options.backend, budget, whole_rows=router)
        return pack(kwargs["input_ids"], kwargs["attention_mask"], kwargs["labels"], layout)

    def _check(self, kwargs: dict[str, Any]) -> None:
        """Stops packing, in every process, if a few rows of this batch do not come out as on the stock path."""
        batch = {name: kwargs[name] for name in ("input_ids", "attention_mask", "labels")}
        rows = rows_to_check(
            batch["input_ids"], batch["attention_mask"], batch["labels"], self._packing.options.check_rows
        )
        some = {**kwargs, **{name: tensor[rows] for name, tensor in batch.items()}}
        packed = self._packed(some)
        what = f"{len(rows)} rows ({packed.raw_tokens} tokens, packed {packed.tokens})"
        found, fault = "", ""
        try:
            with torch.no_grad():
                apart = difference(self._stock(**some), self._run(packed, some), some["labels"])
            found, allowed = str(apart), tolerance(self._model)
            if not apart.within(allowed):
                fault = f"{what} differ from the stock path, {apart}, {allowed}"
        except NotImplementedError as reason:
            fault = f"on the first batch, {reason}"
        if agreed(not fault, self._model.device):
            self._packing.say(f"tree packing on: {what} agree with the stock path, {found}")
        else:
            self._packing.stop(fault or "rows of another process differ from the stock path")

    def _run(self, batch: Packed, kwargs: dict[str, Any]) -> Any:
        several = len(batch.plans) > 1 and torch.is_grad_enabled()
        outputs = [
            checkpoint(self._scores, plan, kwargs, use_reentrant=False, preserve_rng_state=False)
            if several
            else self._scores(plan, kwargs)
            for plan in batch.plans
        ]
        values = {
            name: batch.spread(torch.cat([output[name] for output in outputs]))
            for name in PER_TOKEN
            if name in outputs[0]
        }
        log_probs_BL = values["log_probs"]
        mask_BL = kwargs["labels"][:, 1:] != IGNORED
        items = kwargs.get("num_items_in_batch")
        loss = -log_probs_BL.sum() / (mask_BL.sum() if items is None else items)
        aux_loss = outputs[0]["aux_loss"]
        if aux_loss is not None:
            loss = loss + self._router_weight * aux_loss
        return outputs[0]["type"](**values, loss=loss, label_mask=mask_BL, aux_loss=aux_loss)

    def _scores(self, plan: Plan, kwargs: dict[str, Any]) -> dict[str, Any]:
        """TRL's output for one layout, every per-token field as (S,)."""
        router = {name: value for name, value in kwargs.items() if name == "output_router_logits"}
        output = self._stock(
            input_ids=plan.ids_N[None],
            position_ids=plan.position_N[None],
            attention_mask=plan.rows_N[None],  # not the backbone's: the weight of each token in the router's loss
            shift_labels=plan.target_S[None],
            fused_lm_head=True,
            use_cache=False,
            tree=plan,
            **router,
        )
        flat = {name: output[name][0] for name in PER_TOKEN if output.get(name) is not None}
        return {**flat, "aux_loss": output.get("aux_loss"), "type": type(output)}
