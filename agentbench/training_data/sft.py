"""Supervised rows from trajectories: the whole episode in one row, the loss on every action's tokens.

The ids are the ones the template would serve, piece by piece, so training text and serving text are equal token for
token, and what the model sampled itself is kept as it was sampled.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from agentbench.templates import Span
from agentbench.training_data.rows import SftRow
from agentbench.types import History, Trajectory


class SpanTemplate(Protocol):
    """A template that owns its tokens."""

    def spans(self, history: History) -> tuple[Span, ...]:
        """The tokens of a whole episode, stretch by stretch."""
        ...


class SftRows(NamedTuple):
    """Rows and what did not become one."""

    rows: tuple[SftRow, ...]
    too_long: int
    unsuccessful: int


def sft_rows(trajectories: Iterable[Trajectory], template: SpanTemplate, max_length: int) -> SftRows:
    """One row per successful trajectory of at most `max_length` tokens."""
    rows: list[SftRow] = []
    too_long = unsuccessful = 0
    for trajectory in trajectories:
        if not trajectory.success:
            unsuccessful += 1
            continue
        row = sft_row(trajectory, template)
        if len(row.input_ids) > max_length:
            too_long += 1
        else:
            rows.append(row)
    return SftRows(tuple(rows), too_long, unsuccessful)


def sft_row(trajectory: Trajectory, template: SpanTemplate) -> SftRow:
    """The row of one trajectory; what follows its last action (nothing is sampled there) is left out."""
    spans = list(template.spans(trajectory.history))
    while spans and spans[-1].step is None:
        spans.pop()
    ids = tuple(token for span in spans for token in span.ids)
    mask = tuple(int(span.step is not None) for span in spans for _ in span.ids)
    return SftRow(trajectory.task.id, ids, mask)
