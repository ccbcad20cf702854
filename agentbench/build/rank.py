"""One of several processes of a training that plays its own episodes; started by `training.launch`, never by hand."""

from __future__ import annotations

import os

from agentbench.build.online import train_rank
from agentbench.training.job import TrainJob
from agentbench.training.progress import Report
from agentbench.training.worker import be_rank


def _train(job: TrainJob, progress: Report) -> None:
    number = int(os.environ["RANK"])
    train_rank(job, print if number == 0 else _quiet, progress, number)


def _quiet(_line: str) -> None:
    pass


if __name__ == "__main__":
    be_rank(_train)
