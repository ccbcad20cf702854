"""What does tree packing save? CPU time and memory of TRL's own trainers, stock against packed, on the same rows.

    python experiments/bench_train.py            (or: make bench-train; some forty minutes of one core)
    python experiments/bench_train.py --quick    (smaller model and trees; a minute or two)

A model of random weights (8 layers, width 512, fp32, LoRA of rank 16) takes optimizer steps on one trajectory's rows.
Three contestants, each a process of its own with one thread, take turns step by step:

- stock: trl.DPOTrainer or trl.SFTTrainer, one pair (or row) at a time and gradients accumulated: no padding at all;
- scored: the same, its output projection computed for scored tokens alone, as TRL itself does on a GPU;
- tree: agentbench's trainer, all rows in one batch.

Printed are medians of CPU seconds per optimizer step and what they are of each other, the peak of memory above that
before the first step, and how far the packed loss and gradient norm are from the others' at the same step. The packed
trainer's first step, which holds the comparison with the stock path, is printed apart and not among the medians; its
memory counts. Exit code 6 where a goal is missed. Linux only.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from measuring import heading

ROUNDS = 2
VARIANTS = ("stock", "scored", "tree")
EXACT = 1e-5
"""Relative difference of loss and gradient norm that rounding may make, over all steps."""


class Shape(NamedTuple):
    """A trajectory and what of it is trained on, in tokens."""

    name: str
    stage: str
    steps: int
    branching: tuple[int, ...]
    """Steps with a rejected action beside the one that was taken."""
    goal: float
    """How many times less CPU time than `against`."""
    against: str
    most_memory: float | None = 0.6
    """Peak memory of the packed step, as a share of stock's; `None`: no goal."""
    stock_steps: int | None = None
    """Steps that stock takes, where it would take too long for more; `None`: as many as the others."""
    prompt: int = 1024
    action: int = 64
    observation: int = 128


class Size(NamedTuple):
    """The model."""

    layers: int
    width: int
    heads: int
    vocabulary: int


FULL = Size(8, 512, 8, 8192)
QUICK = Size(4, 256, 4, 4096)
SHAPES = (
    Shape("DPO, 10 steps, half branching", "dpo", 10, tuple(range(1, 10, 2)), 5.5, "stock"),
    Shape("DPO, 10 steps, all branching", "dpo", 10, tuple(range(10)), 8.0, "stock"),
    Shape("DPO, 20 steps, all branching", "dpo", 20, tuple(range(20)), 11.0, "scored", stock_steps=1),
    # One row at a time, stock holds the longest row alone, which is what the packed rows come to: no goal for memory.
    Shape("SFT, 10 step-wise rows", "sft", 10, tuple(range(10)), 6.0, "scored", most_memory=None),
)


class Step(NamedTuple):
    """What one contestant says after one optimizer step."""

    cpu_s: float
    extra_mb: float
    """Highest resident memory so far, above that before the first step."""
    loss: float
    grad_norm: float


def main() -> None:
    """Runs the shapes one after another, prints a block for each; exit code 6 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smaller model and shorter trajectories; no goals")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="optimizer steps of each contestant")
    parser.add_argument("--only", default="", help="shapes whose name holds this")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        _contest(json.loads(asked.child))
        return
    print(heading(" ".join(["python", *sys.argv])))
    shapes = [_shortened(shape) if asked.quick else shape for shape in SHAPES if asked.only in shape.name]
    met = [_report(shape, QUICK if asked.quick else FULL, asked.rounds, goals=not asked.quick) for shape in shapes]
    sys.exit(0 if all(met) or asked.quick else 6)


def _shortened(shape: Shape) -> Shape:
    return shape._replace(prompt=256, action=24, observation=40)


def _report(shape: Shape, size: Size, rounds: int, *, goals: bool) -> bool:
    """Runs one shape and prints it; whether its goals were met."""
    print(f"\n{shape.name}: prompt {shape.prompt}, action {shape.action}, observation {shape.observation}", flush=True)
    steps = _taken(shape, size, rounds)
    counted = {name: taken[1:] if name == "tree" else taken for name, taken in steps.items()}
    seconds = {name: statistics.median(step.cpu_s for step in taken) for name, taken in counted.items()}
    memory = {name: taken[-1].extra_mb for name, taken in steps.items()}
    for name, taken in counted.items():
        each = " ".join(f"{step.cpu_s:.2f}" for step in taken)
        first = f", first step {steps[name][0].cpu_s:.2f}" if name == "tree" else ""
        print(f"  {name:7} {seconds[name]:8.2f} CPU-s per step ({each}{first})   {memory[name]:7,.0f} MB extra")
    ratios = {name: seconds[name] / seconds["tree"] for name in ("stock", "scored")}
    share = memory["tree"] / memory["stock"]
    print(f"  tree takes {ratios['stock']:.2f} times less CPU time than stock, {ratios['scored']:.2f} than scored;")
    print(f"  its memory is {share:.2f} of stock's, {memory['tree'] / memory['scored']:.2f} of scored's;")
    pairs = [pair for name in ("stock", "scored") for pair in zip(steps[name], steps["tree"], strict=False)]
    loss = max(abs(one.loss - other.loss) / abs(one.loss) for one, other in pairs)
    norm = max(abs(one.grad_norm - other.grad_norm) / one.grad_norm for one, other in pairs)
    print(f"  relative differences of all these steps: loss at most {loss:.1e}, gradient norm {norm:.1e}", flush=True)
    if not goals:
        return True
    met = (
        _judged(ratios[shape.against] >= shape.goal, f"{shape.goal:g} times less than {shape.against}"),
        shape.most_memory is None or _judged(share <= shape.most_memory, f"memory {shape.most_memory:g} of stock's"),
        _judged(max(loss, norm) <= EXACT, f"differences up to {EXACT:g}"),
    )
    return all(met)


def _taken(shape: Shape, size: Size, rounds: int) -> dict[str, list[Step]]:
    """Every contestant's steps, taken in turns; the packed one takes one more."""
    with ExitStack() as stack:
        asks = {name: stack.enter_context(_contestant(name, shape, size, rounds + 1)) for name in VARIANTS}
        steps: dict[str, list[Step]] = {name: [] for name in VARIANTS}
        for turn in range(rounds + 1):
            for name, ask in asks.items():
                if turn < _turns(name, shape, rounds):
                    steps[name].append(ask())
    return steps


def _turns(variant: str, shape: Shape, rounds: int) -> int:
    """Steps that are asked of a contestant."""
    match variant:
        case "tree":
            return rounds + 1
        case "stock" if shape.stock_steps is not None:
            return min(rounds, shape.stock_steps)
        case _:
            return rounds


def _judged(met: bool, goal: str) -> bool:
    print(f"  goal {'met' if met else 'MISSED'}: {goal}")
    return met


@contextmanager
def _contestant(variant: str, shape: Shape, size: Size, rounds: int) -> Iterator[Callable[[], Step]]:
    """A process that takes one optimizer step whenever it is asked to."""
    order = json.dumps({"variant": variant, "shape": shape._asdict(), "size": size._asdict(), "rounds": rounds})
    command = [sys.executable, __file__, "--child", order]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        asking, answering = process.stdin, process.stdout

        def ask() -> Step:
            asking.write("go\n")
            asking.flush()
            for line in answering:
                if line.startswith("{"):
                    return Step(**json.loads(line))
                print(f"    {variant}: {line.rstrip()}", flush=True)
            raise SystemExit(f"{variant} ended with {process.wait()}")

        yield ask
        asking.close()


def _contest(order: dict[str, Any]) -> None:
    """The other process: builds its trainer and trains; a callback waits to be asked before every step."""
    import torch

    torch.set_num_threads(1)
    shape, size = Shape(**order["shape"]), Size(**order["size"])
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(order["variant"], shape, size, Path(folder), rounds=order["rounds"])
        trainer.train()


def _trainer(variant: str, shape: Shape, size: Size, folder: Path, *, rounds: int) -> Any:
    from datasets import Dataset, disable_progress_bars
    from peft import LoraConfig
    from transformers import PrinterCallback
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from agentbench.training.treepack.trainers import TreeDPOTrainer, TreeSFTTrainer

    disable_progress_bars()
    tokenizer, rows = _tokenizer(size.vocabulary), _rows(shape, size.vocabulary)
    kinds: dict[str, tuple[Any, Any, Any]] = {
        "dpo": (DPOTrainer, TreeDPOTrainer, DPOConfig),
        "sft": (SFTTrainer, TreeSFTTrainer, SFTConfig),
    }
    stock, packed, config = kinds[shape.stage]
    at_once = len(rows) if variant == "tree" else 1
    extra: dict[str, Any] = {"loss_type": "nll"} if shape.stage == "sft" else {}
    trainer = (packed if variant == "tree" else stock)(
        model=_model(size, tokenizer),
        args=config(
            output_dir=str(folder),
            max_steps=rounds,
            per_device_train_batch_size=at_once,
            gradient_accumulation_steps=len(rows) // at_once,
            train_sampling_strategy="sequential",
            max_length=None,
            learning_rate=1e-4,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            dataloader_pin_memory=False,
            **extra,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        # Adapters of random weights: with zeros the policy would be the reference, and every loss log 2.
        peft_config=LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", init_lora_weights=False),
        callbacks=[_callback()],
    )
    trainer.remove_callback(PrinterCallback)
    if variant == "scored":
        _score_alone(trainer.model.get_base_model())
    return trainer


def _model(size: Size, tokenizer: Any) -> Any:
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        intermediate_size=3 * size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads // 2,
        head_dim=64,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    return Qwen3ForCausalLM(config)


def _tokenizer(vocabulary: int) -> Any:
    """One token per word: w0, w1, … and two control tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {f"w{number}": number for number in range(vocabulary - 2)}
    tokenizer = Tokenizer(models.WordLevel({**words, "</s>": vocabulary - 2, "<pad>": vocabulary - 1}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # type: ignore[assignment]
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>")


def _rows(shape: Shape, vocabulary: int) -> list[dict[str, str]]:
    """The rows of one trajectory; an action ends with the token that ends a turn, which counts among its tokens."""
    rng = random.Random(0)

    def words(count: int) -> str:
        return "".join(f"w{rng.randrange(vocabulary - 2)} " for _ in range(count))

    history, rows = words(shape.prompt), []
    for step in range(shape.steps):
        taken, other = (words(shape.action - 1) + "</s>" for _ in range(2))
        if step in shape.branching and shape.stage == "dpo":
            rows.append({"prompt": history, "chosen": taken, "rejected": other})
        elif step in shape.branching:
            rows.append({"prompt": history, "completion": taken})
        history += taken + " " + words(shape.observation)
    return rows


def _callback() -> Any:
    """Waits for a line before every optimizer step and prints the step's figures once they are logged."""
    from transformers import TrainerCallback

    class Asked(TrainerCallback):
        def __init__(self) -> None:
            self._cpu_s = self._base_mb = 0.0

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self._base_mb = _memory_mb("VmRSS")

        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if not sys.stdin.readline():  # no more steps are wanted
                raise SystemExit(0)
            self._cpu_s = time.process_time()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self._cpu_s = time.process_time() - self._cpu_s

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if logs and "loss" in logs:
                extra_mb = _memory_mb("VmHWM") - self._base_mb
                step = Step(self._cpu_s, extra_mb, float(logs["loss"]), float(logs["grad_norm"]))
                print(json.dumps(step._asdict()), flush=True)

    return Asked()


def _memory_mb(field: str) -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def _score_alone(model: Any) -> None:
    """Gives TRL's fused head the hidden states of scored tokens alone; on a CPU it projects every token."""
    import types

    stock = model.forward
    scored: dict[str, Any] = {}

    def scored_only(module: Any, args: Any, output: Any) -> Any:
        if scored:
            output.last_hidden_state = output.last_hidden_state[:, :-1][scored["BL"]][None]
        return output

    def forward(self: Any, *args: Any, labels: Any = None, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        if not fused_lm_head:
            return stock(*args, labels=labels, **kwargs)
        scored["BL"] = labels[:, 1:] != -100
        target_1S = labels[:, 1:][scored["BL"]][None]
        output = stock(*args, shift_labels=target_1S, fused_lm_head=True, **kwargs)
        fields = {name: output[name] for name in output if name not in ("loss", "label_mask")}
        wide = {
            name: value_1S.new_zeros(scored["BL"].shape).masked_scatter(scored["BL"], value_1S[0])
            for name, value_1S in fields.items()
        }
        wide["label_mask"] = scored.pop("BL")
        return type(output)(**wide)

    model.base_model.register_forward_hook(scored_only)
    model.forward = types.MethodType(forward, model)


if __name__ == "__main__":
    main()
