"""What all online trainers share: when a rollout is played, with which weights, what is logged of it, how long it took.

It is put before a trainer of transformers or TRL among the bases, and asks nothing of it but `Trainer`'s own methods.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from peft import PeftModel
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, Trainer
from trl.trainer.utils import identity

from agentbench.config.stage_rl import OnlineStage
from agentbench.errors import RunFailed
from agentbench.training.rl.batch import Episodes, Rules, chunks, episodes_of, figures
from agentbench.training.rl.ranks import ALONE, Ranks
from agentbench.training.rl.rollouts import Rollouts
from agentbench.training.trainers import without_reference
from agentbench.training.weights import TrainedModel
from agentbench.training_data.returns import RewardWeights
from agentbench.training_data.rl_rows import RlRow
from agentbench.types import Trajectory

if TYPE_CHECKING:
    _Host = Trainer
else:
    _Host = object

Inputs = dict[str, Any]
"""What one forward pass is computed of."""


class Online(NamedTuple):
    """What an online trainer needs beside its arguments."""

    rollouts: Rollouts
    weights: RewardWeights
    ranks: Ranks = ALONE
    """The processes that train together."""


class Clocks:
    """Seconds by what they were spent on; the innermost block that runs has them."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}
        self._stack: list[str] = []
        self._since = (0.0, 0.0)

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Counts what the block takes under a name."""
        self._stop()
        self._stack.append(name)
        try:
            yield
        finally:
            self._stop()
            self._stack.pop()

    def read(self) -> dict[str, float]:
        """Wall and processor seconds since the last reading, all threads of this process together."""
        self._stop()
        found = {name: round(seconds, 3) for name, seconds in self._spent.items()}
        self._spent = dict.fromkeys(self._spent, 0.0)
        return found

    def _stop(self) -> None:
        now = (time.perf_counter(), time.process_time())
        if self._stack:
            for kind, start, end in zip(("seconds", "cpu_seconds"), self._since, now, strict=True):
                key = f"{self._stack[-1]}_{kind}"
                self._spent[key] = self._spent.get(key, 0.0) + end - start
        self._since = now


class PlaysEpisodes(_Host):
    """Learns from episodes that `online` plays; what is made of them, and the loss, is the trainer's."""

    def __init__(self, *args: Any, online: Online, stage: OnlineStage, **kwargs: Any) -> None:
        self.online = online
        self.stage: Any = stage
        self._passes = 0
        """Forward passes of this process; a training that goes on begins with a rollout."""
        self._made: Sequence[Inputs] = ()
        self._noted: defaultdict[str, list[float]] = defaultdict(list)
        self._clocks = Clocks()
        super().__init__(*args, **kwargs)

    @property
    def policy(self) -> TrainedModel:
        """The model that plays, without wrappers but PEFT's."""
        return cast(TrainedModel, self.accelerator.unwrap_model(self.model))

    @property
    def bare(self) -> PreTrainedModel:
        """The model with its adapter's layers in it, without wrappers."""
        model = self.policy
        return cast(PreTrainedModel, model.get_base_model() if isinstance(model, PeftModel) else model)

    @property
    def updates_per_rollout(self) -> int:
        """Optimizer steps from one rollout to the next."""
        return self.stage.epochs * self.stage.minibatches

    @property
    def stretches(self) -> int:
        """Forward passes of a process for all rows of a rollout."""
        return self.stage.minibatches * self.args.gradient_accumulation_steps

    @property
    def ranks(self) -> Ranks:
        """The processes that train together."""
        return self.online.ranks

    def parts_of(self, rows: Sequence[RlRow]) -> list[list[RlRow]]:
        """The rows of every forward pass, all processes' together: `ranks.share` of them are this one's."""
        return [[rows[place] for place in part] for part in chunks(len(rows), self.stretches * self.ranks.size)]

    @property
    def window(self) -> int:
        """Forward passes of an optimizer step, all processes together."""
        return self.args.gradient_accumulation_steps * self.ranks.size

    @property
    def rollout(self) -> int:
        """Number of the rollout that is learnt from, or comes next; counted from 0."""
        return self.state.global_step // self.updates_per_rollout

    def inputs_of(self, episodes: Episodes) -> Sequence[Inputs]:
        """A rollout as the inputs of this process's forward passes, `stretches` of them."""
        raise NotImplementedError

    def get_train_dataloader(self) -> DataLoader[Any]:
        """One empty batch for each forward pass: what it computes is played when it is needed."""
        passes = self.args.max_steps * self.window
        return self.accelerator.prepare(DataLoader([{}] * passes, batch_size=1, collate_fn=identity))  # type: ignore[arg-type]

    def training_step(self, model: torch.nn.Module, inputs: Inputs, num_items_in_batch: Any = None) -> torch.Tensor:
        """The trainer's own, timed and counted."""
        with self._clocks.running("train"):
            loss = super().training_step(model, inputs, num_items_in_batch)
        self._passes += 1
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """The trainer's line, with what was noted since the last one."""
        if "loss" in logs:
            logs |= self._clocks.read()
            logs |= {name: fmean(values) for name, values in self._noted.items()}
            self._noted.clear()
        super().log(logs, start_time)

    def note(self, named: dict[str, float]) -> None:
        """Keeps figures for the next line."""
        for name, value in named.items():
            self._noted[name].append(value)

    def _prepare_inputs(self, inputs: Any) -> Inputs:
        """The next stretch of the current rollout, which is played first where it is a new one."""
        if self._passes % (self.stretches * self.stage.epochs) == 0:
            with self._clocks.running("rollout"):
                episodes = self._played()
            self._made = self.inputs_of(episodes)
            cast(torch.nn.Module, self.model).train()
        return self._made[self._passes % self.stretches]

    def _played(self) -> Episodes:
        """A rollout with the weights as they are; the model is left in its state for evaluation."""
        cast(torch.nn.Module, self.model).eval()
        stage, rollouts = self.stage, self.online.rollouts
        if stage.evaluate_every and self.rollout % stage.evaluate_every == 0:
            held_out = rollouts.held_out(self.policy, self.rollout)
            if held_out is not None:
                self.note({"held_out_success": held_out.success, "held_out_seconds": held_out.seconds})
        played = rollouts.play(self.policy, self.rollout)
        episodes = self.episodes_of(played.trajectories)
        self.note(figures(played.trajectories, episodes))
        return episodes

    def episodes_of(self, trajectories: Sequence[Trajectory]) -> Episodes:
        """What of a rollout is learnt from."""
        rules = Rules(self.online.weights, self.stage.max_length, self.stage.drop_equal_groups)
        return episodes_of(trajectories, rules)

    def refuse_other_weights(self, gap: float) -> None:
        """Lets episodes pass that the weights at hand have played; `gap` is in nats per token.

        Raises:
            RunFailed: whoever played computes other weights: an adapter that was not applied, or an older one.
        """
        most = self.online.rollouts.most_gap
        if most is not None and not gap <= most:
            found = f"the server's log-probabilities differ from the trainer's by {gap:.3g} nats per token"
            problem = f"rollout {self.rollout + 1}: {found}, {most:g} is allowed"
            raise RunFailed(problem, "see serve.dtype and serve.parity_tolerance")

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, state_dict)
        without_reference(output_dir or self.args.output_dir or "")
