"""What does tree packing save on a GPU? A DPO step of a model shaped like Qwen3-4B, stock pair by pair against packed.

    python experiments/bench_train_gpu.py           (or: make bench-train-gpu; one CUDA GPU with 80 GB, some minutes)
    python experiments/bench_train_gpu.py --tiny    (the same steps with toy sizes on a CPU: does it run, is it right)

Needs torch, transformers and peft alone; without agentbench installed, run it with PYTHONPATH=. in its folder. Weights
are random, bfloat16, with a LoRA of rank 16 on all projections. The rows are those of one trajectory of ten steps that
all branch, after a prompt of 2,048 tokens: ten pairs. A step is the policy's and the reference's forward pass (its
adapter off), the sigmoid loss and the backward pass. The stock loop takes one pair at a time, without padding and with
its output projection on scored tokens alone, as TRL does on a GPU.

Printed are the seconds of three repetitions after one that warms up, their ratio beside the ratio of multiplications,
the peak of allocated memory above the weights, and how far the policy's log-probabilities are from the stock loop's.
Exit code 6 where a goal is missed: 80 % of the ratio of multiplications, and no more memory than stock.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from measuring import heading
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn.functional import logsigmoid
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from agentbench.training.treepack.forward import prepare
from agentbench.training.treepack.plan import IGNORED, Backend, Layout, Packed, pack
from agentbench.training.treepack.sharing import Sharing, measure, shape_of

REPETITIONS = 3
BETA = 0.1
SITES_AT_ONCE = 256
"""Scored tokens whose logits are in memory together."""
LEAST_OF_PREDICTED = 0.8


class Size(NamedTuple):
    """Model and trajectory; lengths in tokens."""

    layers: int
    width: int
    intermediate: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    prompt: int
    steps: int = 10
    action: int = 64
    observation: int = 128


FULL = Size(36, 2560, 9728, 32, 8, 128, 151_936, 2048)
TINY = Size(2, 64, 128, 4, 2, 16, 256, 96, steps=4, action=8, observation=12)


class Rows(NamedTuple):
    """Pairs as padded batches: chosen sides first."""

    ids_BL: torch.Tensor
    mask_BL: torch.Tensor
    labels_BL: torch.Tensor

    def pair(self, number: int) -> Rows:
        """One pair without padding."""
        which = [number, number + len(self.ids_BL) // 2]
        length = int(self.mask_BL[which].sum(1).max())
        return Rows(*(tensor[which, :length] for tensor in self))


class Run(NamedTuple):
    """What one way of taking the step came to."""

    seconds: list[float]
    peak_gb: float
    """Above what the weights take; 0 on a CPU."""
    log_prob_BL: torch.Tensor
    gradient: torch.Tensor


def main() -> None:
    """Takes the step each way in turns and prints the table; exit code 6 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="toy sizes on a CPU, single precision; no goals")
    tiny = parser.parse_args().tiny
    if not tiny and not torch.cuda.is_available():
        raise SystemExit("no CUDA device; --tiny runs the same steps on a CPU")
    size, device = (TINY, torch.device("cpu")) if tiny else (FULL, torch.device("cuda"))
    print(heading(" ".join(["python", *sys.argv])))
    print(
        f"{torch.cuda.get_device_name() if not tiny else 'CPU'}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}"
    )
    model = _model(size, device)
    rows = Rows(*(tensor.to(device) for tensor in _rows(size)))
    bare = cast(PreTrainedModel, model.get_base_model())
    sharing = measure(
        [{"input_ids": rows.ids_BL, "attention_mask": rows.mask_BL, "labels": rows.labels_BL}], shape_of(bare)
    )
    print(f"{len(rows.ids_BL) // 2} pairs; {sharing}\n")
    ways: dict[str, Callable[[], torch.Tensor]] = {"stock pair loop": lambda: _stock_step(model, rows)}
    for backend in (Backend.SDPA_CHAIN, Backend.DENSE) if tiny else (Backend.SDPA_CHAIN, Backend.FLEX):
        ways[f"tree, {backend.value}"] = lambda backend=backend: _tree_step(model, rows, backend)
    prepare(bare)
    runs = _runs(model, ways, device)
    sys.exit(0 if _report(runs, sharing, goals=not tiny) else 6)


def _runs(model: PeftModel, ways: dict[str, Callable[[], torch.Tensor]], device: torch.device) -> dict[str, Run]:
    """Every way once to warm up, then all in turns."""
    taken = {name: [_timed(model, way, device)] for name, way in ways.items()}
    for _ in range(REPETITIONS):
        for name, way in ways.items():
            taken[name].append(_timed(model, way, device))
    return {
        name: Run([run.seconds[0] for run in runs[1:]], max(run.peak_gb for run in runs), *runs[-1][2:])
        for name, runs in taken.items()
    }


def _timed(model: PeftModel, way: Callable[[], torch.Tensor], device: torch.device) -> Run:
    cuda = device.type == "cuda"
    model.zero_grad(set_to_none=True)
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    base = torch.cuda.memory_allocated() if cuda else 0
    started = time.perf_counter()
    log_prob_BL = way()
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    peak = torch.cuda.max_memory_allocated() - base if cuda else 0
    gradient = torch.cat([weight.grad.float().flatten() for weight in model.parameters() if weight.grad is not None])
    return Run([seconds], peak / 1e9, log_prob_BL.detach(), gradient.cpu())


def _report(runs: dict[str, Run], sharing: Sharing, *, goals: bool) -> bool:
    """Prints one line per way; whether every packed way met the goals."""
    stock = runs["stock pair loop"]
    scored_BL = stock.log_prob_BL != 0
    met = True
    for name, run in runs.items():
        ratio = statistics.median(stock.seconds) / statistics.median(run.seconds)
        apart_P = (run.log_prob_BL - stock.log_prob_BL)[scored_BL].abs()
        cosine = torch.nn.functional.cosine_similarity(run.gradient, stock.gradient, 0).item()
        print(
            f"{name:17} {' '.join(f'{second:.3f}' for second in run.seconds)} s   {ratio:.2f} times faster   "
            f"{run.peak_gb:.1f} GB   |Δ log p| at most {apart_P.max().item():.1e}, {apart_P.mean().item():.1e} on "
            f"average   gradients' cosine {cosine:.6f}"
        )
        if run is not stock:
            met &= ratio >= LEAST_OF_PREDICTED * sharing.work_ratio and run.peak_gb <= stock.peak_gb
    print(
        f"multiplications say {sharing.work_ratio:.2f} times; the goal is {LEAST_OF_PREDICTED * sharing.work_ratio:.2f}"
    )
    if goals:
        print("goals met" if met else "a goal was MISSED")
    return met or not goals


def _stock_step(model: PeftModel, rows: Rows) -> torch.Tensor:
    """Forward and backward pair by pair; the policy's log-probabilities."""
    pairs = len(rows.ids_BL) // 2
    log_prob_BL = torch.zeros(rows.ids_BL.shape[0], rows.ids_BL.shape[1] - 1, device=rows.ids_BL.device)
    for number in range(pairs):
        pair = rows.pair(number)
        policy_2L, reference_2L = _both(model, lambda pair=pair: _stock_log_probs(model, pair))
        (_loss(policy_2L, reference_2L) / pairs).backward()
        log_prob_BL[[number, number + pairs], : policy_2L.shape[1]] = policy_2L.detach()
    return log_prob_BL


def _tree_step(model: PeftModel, rows: Rows, backend: Backend) -> torch.Tensor:
    """The same in one go; packing itself is part of the time."""
    packed = pack(*rows, Layout(backend))
    policy_BL, reference_BL = _both(model, lambda: _tree_log_probs(model, packed))
    _loss(policy_BL, reference_BL).backward()
    return policy_BL


def _both(model: PeftModel, log_probs: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """The policy's and the reference's, which is the policy without its adapter."""
    with torch.no_grad(), model.disable_adapter():
        reference_BL = log_probs()
    return log_probs(), reference_BL


def _loss(policy_BL: torch.Tensor, reference_BL: torch.Tensor) -> torch.Tensor:
    """Mean over pairs (Rafailov et al. 2023, Direct preference optimization, eq. 7)."""
    chosen, rejected = (policy_BL - reference_BL).sum(1).chunk(2)
    return -logsigmoid(BETA * (chosen - rejected)).mean()


def _stock_log_probs(model: PeftModel, rows: Rows) -> torch.Tensor:
    bare = cast(PreTrainedModel, model.get_base_model())
    # Without padding no mask is needed, which lets attention take its quickest kernel.
    hidden_BLD = bare.base_model(input_ids=rows.ids_BL, use_cache=False).last_hidden_state
    scored_BL = rows.labels_BL[:, 1:] != IGNORED
    log_prob_S = _scores(bare, hidden_BLD[:, :-1][scored_BL], rows.labels_BL[:, 1:][scored_BL])
    return log_prob_S.new_zeros(scored_BL.shape).masked_scatter(scored_BL, log_prob_S)


def _tree_log_probs(model: PeftModel, packed: Packed) -> torch.Tensor:
    bare = cast(PreTrainedModel, model.get_base_model())
    (plan,) = packed.plans
    inputs: dict[str, Any] = {"input_ids": plan.ids_N[None], "position_ids": plan.position_N[None], "tree": plan}
    hidden_SD = bare.base_model(**inputs, use_cache=False).last_hidden_state[0]
    return packed.spread(_scores(bare, hidden_SD, plan.target_S))


def _scores(bare: PreTrainedModel, hidden_SD: torch.Tensor, target_S: torch.Tensor) -> torch.Tensor:
    """Log-probabilities in single precision, a few tokens' logits at a time."""
    head = cast(torch.nn.Linear, bare.get_output_embeddings())

    def score(some_SD: torch.Tensor, some_S: torch.Tensor) -> torch.Tensor:
        return head(some_SD).float().log_softmax(-1).gather(1, some_S[:, None])[:, 0]

    pieces = zip(hidden_SD.split(SITES_AT_ONCE), target_S.split(SITES_AT_ONCE), strict=True)
    return torch.cat([cast(torch.Tensor, checkpoint(score, *piece, use_reentrant=False)) for piece in pieces])


def _model(size: Size, device: torch.device) -> PeftModel:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        head_dim=size.head_size,
        max_position_embeddings=32_768,
        tie_word_embeddings=True,
    )
    with device:
        model: Any = Qwen3ForCausalLM(config)
    model.to(torch.bfloat16 if device.type == "cuda" else torch.float32)
    adapter = LoraConfig(r=16, target_modules="all-linear", init_lora_weights=False)
    return cast(PeftModel, get_peft_model(model, adapter, autocast_adapter_dtype=False)).train()


def _rows(size: Size) -> Rows:
    """The pairs of one trajectory, chosen sides first, padded to the longest."""
    rng = random.Random(0)
    history = _words(rng, size.vocabulary, size.prompt)
    sides: tuple[list[list[int]], list[list[int]]] = ([], [])
    for _ in range(size.steps):
        taken, other = (_words(rng, size.vocabulary, size.action) for _ in range(2))
        sides[0].append(history + taken)
        sides[1].append(history + other)
        history = history + taken + _words(rng, size.vocabulary, size.observation)
    rows = [torch.tensor(row) for row in (*sides[0], *sides[1])]
    ids_BL = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask_BL = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    labels_BL = torch.full_like(ids_BL, IGNORED)
    for number, row in enumerate(rows):
        labels_BL[number, len(row) - size.action : len(row)] = row[-size.action :]
    return Rows(ids_BL, mask_BL, labels_BL)


def _words(rng: random.Random, vocabulary: int, count: int) -> list[int]:
    return [rng.randrange(vocabulary) for _ in range(count)]


if __name__ == "__main__":
    main()
