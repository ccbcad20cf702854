"""The benchmark's task played by the ToolEnv of verifiers 0.1, which plays in this process; results are saved by it.

Later versions were not measured.
"""

# The peer is installed in an environment of its own.
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

import verifiers as vf
from datasets import Dataset
from reading import QUESTION, SYSTEM, Asked, Watch, asked, run_on_uvloop
from verifiers.types import ClientConfig


async def add(number: int) -> str:
    """Adds a number to the total and gives the total.

    Args:
        number: The number to add.
    """
    return str(number * (number + 1) // 2)


def exact(completion: Any, answer: str, **_: Any) -> float:
    """1 where the last message is the answer."""
    return float(completion[-1]["content"] == answer)


async def play(given: Asked) -> int:
    """Plays all episodes; the number of right answers."""
    rows = Dataset.from_list([{"question": QUESTION, "answer": "15"} for _ in range(given.episodes)])
    env = vf.ToolEnv(tools=[add], max_turns=10, dataset=rows, system_prompt=SYSTEM, rubric=vf.Rubric(funcs=[exact]))
    client = ClientConfig(api_base_url=given.base_url, api_key_var="OPENAI_API_KEY")
    found = await env.evaluate(
        client,
        "student",
        num_examples=given.episodes,
        rollouts_per_example=1,
        max_concurrent=given.concurrency,
        results_path=given.folder,
        save_results=True,
    )
    return sum(output["reward"] == 1.0 for output in found["outputs"])


if __name__ == "__main__":
    given, watch = asked(), Watch()
    watch.report(given, run_on_uvloop(play(given)))
