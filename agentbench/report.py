"""Shows what came of runs: figures with intervals, an episode step by step, a comparison, where something came from.

  python -m agentbench.report run=outputs/eval/2026-01-31_12-00-00
  python -m agentbench.report run=outputs/eval/2026-01-31_12-00-00 trajectory=films-test-00008
  python -m agentbench.report compare=[outputs/eval/2026-01-31_12-00-00,outputs/eval/2026-01-31_13-00-00]
  python -m agentbench.report lineage=outputs/train/2026-01-31_12-00-00/adapter

Tables are shown here; outputs/report/<time>/report.html has them with figures and every trajectory, beside
statistics.json, comparison.json or lineage.json. Runs may be rollouts, evaluations, trainings and sweeps.
Exit codes: 0 done, 1 a bug of ours, 2 configuration, or runs that must not be compared, 5 a file is missing or broken.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agentbench import app

if TYPE_CHECKING:
    from agentbench.config.report import ReportConfig


def run(config: ReportConfig, folder: Path) -> None:
    """Shows what the configuration asks for."""
    from agentbench.build.reporting import reported

    app.show(reported(config, folder, app.say))


if __name__ == "__main__":
    sys.exit(app.main(app.Entry("report", __doc__, "ReportConfig", run)))
