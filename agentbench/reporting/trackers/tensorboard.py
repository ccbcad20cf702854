"""A run as TensorBoard's event files, in `<run folder>/tensorboard`.

TensorBoard knows no groups: `tensorboard --logdir <sweep folder>` shows the runs of a sweep together. Nor does it know
artifacts: files are named where they lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from agentbench.reporting.trackers import Counted, RunFacts, Table

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

FOLDER = "tensorboard"


class TensorboardRun:
    """One folder of event files."""

    def __init__(self, writer: SummaryWriter) -> None:
        self._writer = writer
        self._step = 0

    def log(self, metrics: Mapping[str, float], step: int, counted: Counted) -> None:
        """Points of curves."""
        self._step = step
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def table(self, name: str, table: Table) -> None:
        """A table in the tab of texts."""
        lines = [table.columns, ("---",) * len(table.columns), *table.rows]
        self._writer.add_text(name, "\n".join(_line(row) for row in lines), self._step)

    def files(self, name: str, files: Sequence[Path]) -> None:
        """Their places."""
        self._writer.add_text(name, "\n".join(f"- `{file}`" for file in files), self._step)

    def finish(self, summary: Mapping[str, float], exit_code: int) -> None:
        """Final figures as points of their own curves."""
        for name, value in {**summary, "exit_code": exit_code}.items():
            self._writer.add_scalar(f"final/{name}", value, self._step)
        self._writer.close()


def start_tensorboard(facts: RunFacts) -> TensorboardRun:
    """Starts the event file, which begins with configuration and lineage.

    Raises:
        OSError: the folder cannot be written.
    """
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(logdir=str(facts.folder / FOLDER))
    for name, content in {"config": facts.config, "lineage": facts.lineage}.items():
        writer.add_text(name, f"```\n{orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()}\n```", 0)
    return TensorboardRun(writer)


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(value: object) -> str:
    """One cell of a Markdown table; `---` below the headings stays as it is."""
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return text.replace("\n", "<br>")
