"""Supervised rows with all that a trainer may want: whole conversations, or one step after the other."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from agentbench.config.prefs import LossOn, SftPrefs, SftSource, Shape
from agentbench.training_data.masking import trained
from agentbench.training_data.rows import SftRow
from agentbench.training_data.transcript import Move, Transcriber, Transcript, moves_text, opening_and, tools_text
from agentbench.types import Actor, Task, Trajectory


class Supervised:
    """Makes the rows of trajectories, one after the other, and counts in `dropped` what becomes none."""

    def __init__(self, config: SftPrefs, transcriber: Transcriber) -> None:
        self.dropped: Counter[str] = Counter()
        self._config = config
        self._transcriber = transcriber

    def rows(self, trajectory: Trajectory) -> Iterator[SftRow]:
        """The rows of one trajectory, without id; branches are left aside."""
        reason = self._reason_against(trajectory)
        if reason:
            self.dropped[reason] += 1
            return
        text = self._transcriber.transcript(trajectory.history)
        about = _About(trajectory.task, tools_text(trajectory.history.tools))
        loss = self._loss(text.moves)
        if not any(loss):
            self.dropped["trajectories without a step that carries loss"] += 1
        elif self._config.shape is Shape.CONVERSATION:
            reward = math.fsum(step.reward for step in trajectory.history.steps)
            yield self._weighed(_row(about, _actors(trajectory), reward, text, 0, loss))
        else:
            self.dropped["steps that carry no loss"] += loss.count(False)
            for place in (place for place, kept in enumerate(loss) if kept):
                move = text.moves[place]
                single = Transcript(text.opening_ids, text.opening_messages, text.moves[: place + 1])
                row = _row(about, f"{move.actor}_{move.said}", move.reward, single, place, (True,))
                yield self._weighed(row)

    def _weighed(self, row: SftRow) -> SftRow:
        """The row with the loss on all its tokens, where that is wanted."""
        if not self._config.prompt_loss:
            return row
        return dataclasses.replace(row, completion_mask=(1,) * len(row.input_ids))

    def _reason_against(self, trajectory: Trajectory) -> str:
        """Why a trajectory becomes no row; empty where it does."""
        if not trajectory.success:
            return "trajectories without success"
        actors = _actors(trajectory)
        wanted = {SftSource.GOLD: "expert", SftSource.AGENT: "agent", SftSource.BOTH: actors}[self._config.source]
        return "" if actors == wanted else f"trajectories of another source ({actors})"

    def _loss(self, moves: tuple[Move, ...]) -> tuple[bool, ...]:
        config = self._config
        actors = {LossOn.ALL: tuple(Actor), LossOn.EXPERT: (Actor.EXPERT,), LossOn.AGENT: (Actor.AGENT,)}[
            config.loss_on
        ]
        kept = trained(moves, config.suboptimal if config.mask_suboptimal_traces else (), config.mask_history)
        return tuple(loss and move.actor in actors for move, loss in zip(moves, kept, strict=True))


class _About(NamedTuple):
    task: Task
    tools: str


def _actors(trajectory: Trajectory) -> str:
    """`expert`, `agent` or `mixed`."""
    actors = {step.decision.actor for step in trajectory.history.steps}
    return "mixed" if len(actors) > 1 else next(iter(actors)).value


def _row(about: _About, kind: str, reward: float, text: Transcript, start: int, loss: tuple[bool, ...]) -> SftRow:
    """The row whose completion begins with the move at `start`."""
    prompt, completion = opening_and(text, start), moves_text(text.moves[start:], loss)
    return SftRow(
        id="",
        input_ids=prompt.ids + completion.ids,
        completion_mask=prompt.mask + completion.mask,
        task=about.task.id,
        domain=about.task.domain,
        kind=kind,
        margin=reward,
        category=text.moves[-1].category,
        tools=about.tools,
        prompt=prompt.messages,
        completion=completion.messages,
    )
