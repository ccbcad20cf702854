"""Makes worlds: databases, document collections and tasks whose gold was executed.

  python -m agentbench.prepare
  python -m agentbench.prepare source.domains=[films] source.tasks.train=200
  python -m agentbench.prepare source=sqlite source.database=shop.sqlite source.documents=manuals/

Embedded worlds are cached in `cache_dir` and made only once; a world of your own goes into the run's folder.
Exit codes: 0 done, 1 a bug of ours, 2 configuration, 4 interrupted, 5 a file is missing or broken.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agentbench import app

if TYPE_CHECKING:
    from agentbench.config.entry import PrepareConfig


def run(config: PrepareConfig, folder: Path) -> None:
    """Prepares the worlds of a source."""
    raise NotImplementedError


if __name__ == "__main__":
    sys.exit(app.main(app.Entry("prepare", __doc__, "PrepareConfig", run)))
