"""One of several processes that use a cache at once: python asking_cache.py FOLDER FIRST LAST.

Prints how many of the questions FIRST … LAST - 1 it had to put to its model; checks every answer.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.cache import CachedLlm
from agentbench.llm.scripted import ScriptedLlm


async def main(folder: Path, first: int, last: int) -> None:
    model = ScriptedLlm(lambda request: f"answer {request.seed}")
    llm = CachedLlm(model, folder, "m")
    for seed in range(first, last):
        generation = await llm.generate(Request(Prompt("q"), Sampling(), seed))
        if generation.completion != f"answer {seed}":
            raise SystemExit(f"{seed} was answered with {generation.completion!r}")
    await llm.close()
    print(len(model.requests))


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
