"""What a step of a GRPO trainer takes and holds: bench_rl.py's clock, put on a trainer from outside. Linux only."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple


class Taken(NamedTuple):
    """What one contestant says of one step. Times are CPU seconds."""

    rollout_s: float
    model_s: float
    """Of these, inside the model."""
    training_s: float
    extra_mb: float
    """Highest resident memory so far, above that before the first step."""
    loss: float
    grad_norm: float
    prompts: str
    """Digest of the first prompts."""
    episodes: int
    turns: int
    sampled: int
    """Tokens."""
    success: int
    """Episodes."""
    needed: int
    """Prompt tokens of all turns, those of an episode's earlier turns not counted again."""
    computed: int
    """Prompt tokens that went into the model."""


class Row(NamedTuple):
    """An episode as it is trained on."""

    prompt: tuple[int, ...]
    mask: tuple[int, ...]
    """1 on sampled tokens, of all that came after the prompt."""
    success: bool

    @property
    def turns(self) -> int:
        """Runs of sampled tokens."""
        return sum(now and not before for before, now in zip((0, *self.mask), self.mask, strict=False))


class Meter:
    """What a trainer's steps take and hold. Rollouts are what `_prepare_inputs` does, training is all the rest."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._base_mb = self._step_s = self._rollout_s = self._model_s = self._since = 0.0
        self._playing = False
        self._computed = 0

    def watch(self, trainer: Any) -> None:
        """Times the trainer's rollouts, and counts what its model computes in them."""
        prepare = trainer._prepare_inputs

        def timed(inputs: Any) -> Any:
            self._playing, started = True, time.process_time()
            try:
                return prepare(inputs)
            finally:
                self._playing, self._rollout_s = False, self._rollout_s + time.process_time() - started

        trainer._prepare_inputs = timed
        trainer.model.register_forward_pre_hook(self._enters, with_kwargs=True)
        trainer.model.register_forward_hook(self._leaves)

    def _enters(self, module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """A pass over prompts has several tokens in a row; one that only draws has one."""
        if not self._playing:
            return
        length = kwargs["input_ids"].shape[1]
        if length > 1:
            mask = kwargs.get("attention_mask")  # left away where nothing is padded
            self._computed += kwargs["input_ids"].numel() if mask is None else int(mask[:, -length:].sum())
        self._since = time.process_time()

    def _leaves(self, module: Any, args: Any, output: Any) -> None:
        if self._playing:
            self._model_s += time.process_time() - self._since

    def start(self) -> None:
        """A step begins."""
        self._rollout_s = self._model_s = 0.0
        self._computed = 0
        self._base_mb = self._base_mb or _memory_mb("VmRSS")
        self._step_s = time.process_time()

    def stop(self) -> None:
        """The optimizer has stepped."""
        self._step_s = time.process_time() - self._step_s

    def taken(self, loss: float, grad_norm: float) -> Taken:
        """The step that is over."""
        sampled, turns = sum(sum(row.mask) for row in self.rows), sum(row.turns for row in self.rows)
        # The last token of a reply goes into the model with the next prompt.
        given = sum(len(row.prompt) + len(row.mask) for row in self.rows) - sampled + turns - len(self.rows)
        return Taken(
            rollout_s=self._rollout_s,
            model_s=self._model_s,
            training_s=self._step_s - self._rollout_s,
            extra_mb=_memory_mb("VmHWM") - self._base_mb,
            loss=loss,
            grad_norm=grad_norm,
            prompts=hashlib.sha256(json.dumps(sorted(row.prompt for row in self.rows)).encode()).hexdigest(),
            episodes=len(self.rows),
            turns=turns,
            sampled=sampled,
            success=sum(row.success for row in self.rows),
            needed=given,
            computed=self._computed,
        )

    def callback(self) -> Any:
        """Waits for a line before every step and prints the step's figures once they are logged."""
        from transformers import TrainerCallback

        meter = self

        class Asked(TrainerCallback):
            def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                if not sys.stdin.readline():  # no more steps are wanted
                    raise SystemExit(0)
                meter.start()

            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                meter.stop()

            def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
                if logs and "loss" in logs:
                    print(json.dumps(meter.taken(logs["loss"], logs["grad_norm"])._asdict()), flush=True)

        return Asked()


def _memory_mb(field: str) -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024
