"""A rank: reads its job from standard input, trains, and ends with the exit code of what stopped it.

Started by `launch`, never by hand.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from rich.console import Console

from agentbench.app.redaction import hide_environment, print_traceback
from agentbench.config.secrets import redacted_message
from agentbench.errors import AgentbenchError
from agentbench.training.job import TrainJob, read_job
from agentbench.training.progress import Report, showing


def be_rank(train: Callable[[TrainJob, Report], object]) -> NoReturn:
    """Trains this rank's part, and ends this process with the exit code."""
    hide_environment()
    code = _work(train)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # torch's store has threads that nobody joins: leaving in the usual way aborts now and then


def _work(train: Callable[[TrainJob, Report], object]) -> int:
    try:
        job = read_job(sys.stdin.buffer.read())
        with showing(Console()) as report:
            train(job, report)
    except AgentbenchError as error:
        print(redacted_message(f"error: {error}"), file=sys.stderr)
        return error.exit_code
    except Exception:  # the boundary of this process: the parent shows the last line
        print_traceback()
        return 1
    _leave_group()
    return 0


def _leave_group() -> None:
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def _finetune(job: TrainJob, report: Report) -> None:
    from agentbench.training.finetune import finetune

    finetune(job, report)


if __name__ == "__main__":
    be_rank(_finetune)
