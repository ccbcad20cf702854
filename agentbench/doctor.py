"""Checks what a result would rest on: without a model the environment, with one its tokens.

The environment: do oracle, idle, random, refusing and repeating agents score what they should? Tokens: would training
on this template with this tokenizer be right? No weights are loaded for that. A run's folder (`run=`): which versions
do its files have, can each be read, and do its checksums hold?

  python -m agentbench.doctor
  python -m agentbench.doctor env.tools=selection tasks.limit=200
  python -m agentbench.doctor model=hf model.path=some/model template=student_qwen3 tokens.show=true
  python -m agentbench.doctor run=outputs/rollout/2026-01-31_12-00-00

Exit codes: 0 all is well, 1 a bug of ours, 2 configuration, 4 interrupted, 5 something is missing,
6 an agent scored what it should not, training would be wrong, or a file is damaged.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agentbench import app

if TYPE_CHECKING:
    from agentbench.config.entry import DoctorConfig


def run(config: DoctorConfig, folder: Path) -> None:
    """Looks through a run's folder, or audits tokens where a model or a tokenizer is given, or else plays agents."""
    if config.run is not None:
        _look_through(config.run)
        return
    from agentbench.build.token_audit import audits_tokens

    check = _audit_tokens if audits_tokens(config) else _check_environment
    check(config, folder)


def _look_through(folder: Path) -> None:
    from agentbench.reporting.inspection import inspect_run, inspection_table

    found = inspect_run(folder)
    app.show(inspection_table(found))
    found.gate()


def _audit_tokens(config: DoctorConfig, folder: Path) -> None:
    from agentbench.build.token_audit import AUDIT, audit_plan
    from agentbench.training_data.token_view import audit_table, coloured_dialogue

    plan = audit_plan(config, app.say)
    if config.tokens.show:
        app.show(coloured_dialogue(plan.pair, plan.shown))
    audit = plan.play(folder)
    app.show(audit_table(audit))
    audit.gate(str(folder / AUDIT))


def _check_environment(config: DoctorConfig, folder: Path) -> None:
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
