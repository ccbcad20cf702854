"""The benchmark's task played by inspect_ai: its own tool loop, scorer and log."""

# The peer is installed in an environment of its own.
# pyright: reportMissingImports=false

from __future__ import annotations

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import get_model
from inspect_ai.scorer import exact
from inspect_ai.solver import generate, system_message, use_tools
from inspect_ai.tool import Tool, tool
from reading import QUESTION, SYSTEM, Asked, Watch, asked


@tool
def add() -> Tool:
    """The tool of the task."""

    async def execute(number: int) -> str:
        """Adds a number to the total and gives the total.

        Args:
            number: The number to add.
        """
        return str(number * (number + 1) // 2)

    return execute


def play(given: Asked) -> int:
    """Plays all episodes; the number of right answers."""
    task = Task(
        dataset=[Sample(id=number + 1, input=QUESTION, target="15") for number in range(given.episodes)],
        solver=[system_message(SYSTEM), use_tools(add()), generate()],
        scorer=exact(),
    )
    model = get_model("openai/student", base_url=given.base_url, api_key="none", responses_api=False)
    logs = eval(
        task,
        model=model,
        max_connections=given.concurrency,
        max_samples=given.concurrency,
        log_dir=str(given.folder),
        display="none",
    )
    samples = logs[0].samples or []
    return sum(score.value == "C" for sample in samples for score in (sample.scores or {}).values())


if __name__ == "__main__":
    given, watch = asked(), Watch()
    watch.report(given, play(given))
