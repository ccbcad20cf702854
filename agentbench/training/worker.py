"""A rank: reads its job from standard input, trains, and ends with the exit code of what stopped it.

Started by `launch`, never by hand.
"""

from __future__ import annotations

import os
import sys
import traceback

from rich.console import Console

from agentbench.errors import AgentbenchError
from agentbench.training.job import read_job


def work() -> int:
    """Trains this rank's part; gives the exit code."""
    from agentbench.training.finetune import finetune
    from agentbench.training.progress import showing

    try:
        job = read_job(sys.stdin.buffer.read())
        with showing(Console()) as report:
            finetune(job, report)
    except AgentbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except Exception:  # the boundary of this process: the parent shows the last line
        traceback.print_exc()
        return 1
    _leave_group()
    return 0


def _leave_group() -> None:
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    code = work()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # torch's store has threads that nobody joins: leaving in the usual way aborts now and then
