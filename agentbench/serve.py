"""Serves our tools to other agents, or a model to several runs.

  python -m agentbench.serve env.worlds=[films] env.tools=slot_filling serve.transport=stdio
  python -m agentbench.serve env.worlds=[outputs/prepare/2026-01-31_12-00-00/world] serve.port=0
  python -m agentbench.serve serve=vllm model=hf model.path=…

serve=mcp: a world's tools and questions as an MCP server, every session an episode. Over HTTP each world has an address
of its own, which is printed; over stdio one world is served to the program that started this one.
serve=vllm: a model server that stays up; its address is printed, and runs that want the same server find it themselves.
Exit codes: 0 stopped by Ctrl-C, SIGTERM or the client, 1 a bug of ours, 2 configuration, 4 interrupted before it
served, 5 something is missing, or the model server died.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agentbench import app

if TYPE_CHECKING:
    from agentbench.config.entry import ServeConfig


def run(config: ServeConfig, folder: Path) -> None:
    """Serves until somebody ends it."""
    from agentbench.build.serving import serving_of
    from agentbench.config.env import McpTransport
    from agentbench.config.serve import McpServe
    from agentbench.episodes.pool import run_async

    over_stdio = isinstance(config.serve, McpServe) and config.serve.transport is McpTransport.STDIO
    say = _aside if over_stdio else app.say
    serving = serving_of(config, say)
    try:
        run_async(serving.run())
    except KeyboardInterrupt:
        say("stopped")


def _aside(line: str) -> None:
    """A line for the user where standard output belongs to the protocol."""
    print(line, file=sys.stderr, flush=True)
    logging.getLogger(__name__).info(line)


if __name__ == "__main__":
    sys.exit(app.main(app.Entry("serve", __doc__, "ServeConfig", run)))
