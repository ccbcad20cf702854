"""Builds rows to train on from trajectories: preferences of steps or whole trajectories, or supervised examples.

  python -m agentbench.build_prefs trajectories=[outputs/rollout/2026-01-31_12-00-00/trajectories.jsonl] tokenizer=MODEL
  python -m agentbench.build_prefs prefs=trajectory trajectories=[a/trajectories.jsonl] against=[b/trajectories.jsonl]
  python -m agentbench.build_prefs prefs=sft prefs.shape=stepwise template=teacher trajectories=[a/trajectories.jsonl]

Writes rows.jsonl and card.json to outputs/build_prefs/<time>/, and validation.jsonl with validation_share=0.1.
Exit codes: 0 done, 1 a bug of ours, 2 configuration, 4 interrupted, 5 a file is missing or broken, or gives no row.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agentbench import app

if TYPE_CHECKING:
    from agentbench.config.entry import BuildPrefsConfig


def run(config: BuildPrefsConfig, folder: Path) -> None:
    """Builds the configured rows and writes them, with their data card, to the folder."""
    from agentbench.build.prefs import CARD, build_prefs, refuse_empty
    from agentbench.training_data.card_table import card_table
    from agentbench.training_data.rows import ROWS

    card = build_prefs(config, folder, app.say)
    app.show(card_table(card))
    app.say(f"data card: {os.path.relpath(folder / CARD)}")
    refuse_empty(card)
    app.say(f"rows: {os.path.relpath(folder / ROWS)}")


if __name__ == "__main__":
    sys.exit(app.main(app.Entry("build_prefs", __doc__, "BuildPrefsConfig", run)))
