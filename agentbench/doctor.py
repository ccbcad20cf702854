"""Checks an environment: do oracle, idle, random, refusing and repeating agents score what they should?

  python -m agentbench.doctor
  python -m agentbench.doctor env.tools=selection tasks.limit=200
  python -m agentbench.doctor env.worlds=[outputs/prepare/2026-01-31_12-00-00/world]

Exit codes: 0 all is well, 1 a bug of ours, 2 configuration, 4 interrupted, 5 something is missing,
6 an agent scored what it should not.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agentbench import app

if TYPE_CHECKING:
    from agentbench.config.entry import DoctorConfig


def run(config: DoctorConfig, folder: Path) -> None:
    """Runs the agents over a sample of tasks and reports what they score."""
    from agentbench.build.runs import self_check_of
    from agentbench.episodes.pool import run_async
    from agentbench.episodes.self_check import findings_table
    from agentbench.errors import GateFailed

    findings = run_async(self_check_of(config, app.say).play(folder))
    app.show(findings_table(findings))
    unfair = [finding.probe.name for finding in findings if not finding.fair]
    if unfair:
        raise GateFailed(f"the environment is not fair: {', '.join(unfair)} scored what they should not")


if __name__ == "__main__":
    sys.exit(app.main(app.Entry("doctor", __doc__, "DoctorConfig", run)))
