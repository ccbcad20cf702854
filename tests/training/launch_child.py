"""A process that starts ranks and that a test ends: reads its job from standard input."""

from __future__ import annotations

import signal
import sys

from agentbench.training.job import read_job
from agentbench.training.launch import launch

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    launch(read_job(sys.stdin.buffer.read()))
