"""Makes worlds: databases, document collections and tasks whose gold was executed.

  python -m agentbench.prepare
  python -m agentbench.prepare source.domains=[films] source.tasks.train=200
  python -m agentbench.prepare source=sqlite database=shop.sqlite documents=manuals/
  python -m agentbench.prepare source=vakra data_dir=vakra/test
  python -m agentbench.prepare source=dump source.path=wiki/extracted
  python -m agentbench.prepare source=toolbench source.path=ToolBench/data_example
  python -m agentbench.prepare source=assistant source.endpoint.base_url=… source.endpoint.name=…

Embedded worlds are cached in `cache_dir` and made only once; worlds of your own data go into the run's folder.
Runs take the default embedded worlds by name, all others by their folder: env.worlds=[FOLDER].
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
    from agentbench.build.preparing import made_index, made_requests
    from agentbench.build.toolbench import made_trajectories
    from agentbench.config.source import (
        AssistantSource,
        DumpSource,
        EmbeddedSource,
        PaymentsSource,
        SqliteSource,
        ToolbenchSource,
        VakraSource,
    )
    from agentbench.worlds.embedded import prepare_embedded
    from agentbench.worlds.own_data import prepare_sqlite
    from agentbench.worlds.payments.root import prepare_payments
    from agentbench.worlds.vakra import prepare_vakra

    match config.source:
        case EmbeddedSource(domains=domains, tasks=counts):
            made = [prepare_embedded(name, config.seed, counts, config.cache_dir, app.say) for name in domains]
        case SqliteSource() as own:
            made = [prepare_sqlite(own, config.seed, folder / "world", app.say)]
        case VakraSource() as theirs:
            made = [*prepare_vakra(theirs, folder / "worlds", app.say)]
        case DumpSource() as dump:
            made = []
            made_index(dump, folder, app.say)
        case AssistantSource() as asked:
            made = []
            made_requests(asked, config.seed, folder, config.cache_dir, app.say)
        case PaymentsSource() as payments:
            made = []
            prepare_payments(payments, config.seed, folder, app.say)
        case ToolbenchSource() as traces:
            made = []
            made_trajectories(traces, folder, app.say)
    for world in made:
        app.say(f"world {world.manifest.name}: {world.folder} ({world.manifest.attribution})")


if __name__ == "__main__":
    sys.exit(app.main(app.Entry("prepare", __doc__, "PrepareConfig", run)))
