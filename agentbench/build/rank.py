"""One of several processes of a training that plays its own episodes; started by `training.launch`, never by hand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentbench.build.online import train_rank

if TYPE_CHECKING:
    from agentbench.training.job import TrainJob
    from agentbench.training.progress import Report


def main() -> None:
    """Trains this rank's part, and ends the process with its exit code."""
    from agentbench.training.worker import be_rank

    be_rank(_train)


def _train(job: TrainJob, progress: Report) -> None:
    number = int(os.environ["RANK"])
    train_rank(job, print if number == 0 else _quiet, progress, number)


def _quiet(_line: str) -> None:
    pass


if __name__ == "__main__":
    main()
