"""Rejection-sampling fine-tuning: imitate what succeeded (RFT, Yuan et al. 2023; in rounds, STaR of 2022).

It departs from the papers in that each rollout is played by the weights of that moment, and in that an episode has many
turns: the loss is taken over the agent's own tokens, as they were sampled, and over nothing else. The loss is TRL's.

Dimensions in names: B rows, L prompt and completion.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, cast

import torch
from trl.trainer.sft_trainer import SFTTrainer

from agentbench.config.stage_rl import RftStage
from agentbench.training.rl.batch import Episodes
from agentbench.training.rl.playing import Inputs, PlaysEpisodes
from agentbench.training.treepack.plan import IGNORED
from agentbench.training.treepack.trainers import TreePacked
from agentbench.training_data.rejection import accepted
from agentbench.training_data.rl_rows import RlRow
from agentbench.types import Trajectory


class OnlineRftTrainer(PlaysEpisodes, SFTTrainer):  # type: ignore[misc]
    """TRL's SFTTrainer on the successful episodes of each rollout; one without any has no gradient."""

    stage: RftStage

    def episodes_of(self, trajectories: Sequence[Trajectory]) -> Episodes:
        """The rows of kept episodes; what all of them earned."""
        found = super().episodes_of(trajectories)
        keep = accepted(trajectories, self.stage.most_per_task)
        self.note(keep.figures())
        groups = (
            tuple(each for each in group if (each[0].group, each[0].sample) in keep.kept) for group in found.groups
        )
        return found._replace(groups=tuple(group for group in groups if group))

    def inputs_of(self, episodes: Episodes) -> list[Inputs]:
        """Padded rows, tasks in an order that is drawn; episodes of a task stay together, for what they share."""
        groups = list(episodes.groups)
        random.Random(f"{self.args.seed}:{self.rollout}").shuffle(groups)
        rows = [row for group in groups for each in group for row in each]
        parts = self.parts_of(rows)
        made = [self._padded(part) for part in self.ranks.share(parts)]
        of_parts = [sum(sum(row.mask) for row in part) for part in parts]
        windows = [of_parts[start : start + self.window] for start in range(0, len(parts), self.window)]
        tokens = [sum(window) for window in windows for _ in window]
        for inputs, of_step in zip(made, self.ranks.share(tokens), strict=True):
            # transformers divides by a process's forward passes; that processes take a mean it makes up for itself
            inputs["tokens"] = of_step / self.args.gradient_accumulation_steps
        return made

    def compute_loss(
        self, model: torch.nn.Module, inputs: Inputs, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """TRL's own, as the mean over all sampled tokens of an optimizer step."""
        own = {name: value for name, value in inputs.items() if name != "tokens"}
        return super().compute_loss(model, own, return_outputs, torch.tensor(inputs["tokens"]))

    def _padded(self, rows: Sequence[RlRow]) -> Inputs:
        """Without rows there is one of which nothing is scored: every forward pass computes something."""
        pad_id = cast(Any, self.processing_class).pad_token_id or 0
        ids = [[*row.prompt_ids, *row.completion_ids] for row in rows] or [[pad_id] * 2]
        labels = [_labels(row) for row in rows] or [[IGNORED] * 2]
        longest = max(map(len, ids))
        filled = {
            "input_ids": [each + [pad_id] * (longest - len(each)) for each in ids],
            "attention_mask": [[1] * len(each) + [0] * (longest - len(each)) for each in ids],
            "labels": [each + [IGNORED] * (longest - len(each)) for each in labels],
        }
        return {name: torch.tensor(values, device=self.args.device) for name, values in filled.items()}


class TreeOnlineRftTrainer(TreePacked, OnlineRftTrainer):  # type: ignore[misc]
    """The same, with tokens that rows share computed once."""


def _labels(row: RlRow) -> list[int]:
    own = [token if kept else IGNORED for token, kept in zip(row.completion_ids, row.mask, strict=True)]
    return [IGNORED] * len(row.prompt_ids) + own
