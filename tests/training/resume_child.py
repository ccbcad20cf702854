"""A training that a test kills: reads its job from standard input, and takes its time."""

from __future__ import annotations

import sys
import time

import torch

from agentbench.training.finetune import finetune
from agentbench.training.job import read_job


def dawdle(_what: str, _step: int, _last: int, _loss: float) -> None:
    time.sleep(0.05)


if __name__ == "__main__":
    torch.set_num_threads(1)
    finetune(read_job(sys.stdin.buffer.read()), dawdle)
