"""The benchmark's task played by LangGraph's ReAct agent over langchain-openai, as their documentation has it."""

# The peer is installed in an environment of its own.
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import json
import warnings
from typing import Any

from langchain_core.messages import messages_to_dict
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.prebuilt import create_react_agent
from reading import QUESTION, SYSTEM, Asked, Watch, asked, run_on_uvloop

warnings.filterwarnings("ignore")


@tool
def add(number: int) -> str:
    """Adds a number to the total and gives the total."""
    return str(number * (number + 1) // 2)


async def play(given: Asked) -> int:
    """Plays all episodes; the number of right answers."""
    model = ChatOpenAI(model="student", base_url=given.base_url, api_key="none", temperature=0.0)  # type: ignore[arg-type]
    agent: Any = create_react_agent(model, [add], prompt=SYSTEM)
    slots = asyncio.Semaphore(given.concurrency)
    given.folder.mkdir(parents=True, exist_ok=True)
    with (given.folder / "episodes.jsonl").open("w") as file:

        async def run(number: int) -> bool:
            async with slots:
                ended = await agent.ainvoke({"messages": [("user", QUESTION)]})
            messages = ended["messages"]
            file.write(json.dumps({"id": number, "messages": messages_to_dict(messages)}) + "\n")
            return messages[-1].content == "15"

        return sum(await asyncio.gather(*(run(number) for number in range(given.episodes))))


if __name__ == "__main__":
    given, watch = asked(), Watch()
    watch.report(given, run_on_uvloop(play(given)))
