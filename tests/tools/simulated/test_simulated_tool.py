"""A model in a tool's stead: same spec, memory of the episode, faults to order."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from agentbench.errors import LlmError, ToolError
from agentbench.llm import Request, Sampling
from agentbench.llm.scripted import ScriptedLlm
from agentbench.llm.spoken import accounted, spoken
from agentbench.llm.structured import StructuredLlm
from agentbench.tools.assistant.specs import SEARCH_WEB
from agentbench.tools.simulated.simulated_tool import PARTIAL, Faults, SimulatedTool, Stage

NONE = Faults()


def tool(llm: ScriptedLlm, stage: Stage | None = None, faults: Faults = NONE) -> SimulatedTool:
    scene = stage or Stage("Where is Ann?", "t1", 0)
    return SimulatedTool(SEARCH_WEB, scene, StructuredLlm(llm, Sampling(), True), "You are a tool.", faults=faults)


def call(simulated: SimulatedTool, query: str = "Ann") -> Any:
    return json.loads(asyncio.run(simulated.call({"query": query})).text)


def result(text: str = "In Paris.") -> str:
    return json.dumps({"result": text})


def test_a_model_answers_under_the_real_tool_s_spec() -> None:
    llm = ScriptedLlm([result()])
    simulated = tool(llm)
    assert simulated.spec is SEARCH_WEB and call(simulated) == {"result": "In Paris."}
    assert llm.requests[0].schema and llm.requests[0].schema["required"] == ["result"]


def test_the_model_is_told_request_call_and_what_was_answered_before() -> None:
    llm, stage = ScriptedLlm([result(), result("At 5.")]), Stage("Where is Ann?", "t1", 0)
    call(tool(llm, stage))
    call(tool(llm, stage), "Ann train")
    told = llm.requests[1].prompt.messages[1]["content"]
    assert '"Where is Ann?"' in told and '"result": "In Paris."' in told and '"query": "Ann train"' in told


def test_what_the_model_said_is_kept_for_accounting_failed_attempts_too() -> None:
    llm, stage = ScriptedLlm(["nothing", result()]), Stage("Where is Ann?", "t1", 0)
    call(tool(llm, stage))
    assert [said.completion for said in stage.spoken] == ["nothing", result()]
    (first, _) = spoken(accounted(stage.spoken))
    assert (first.role, first.usage) == ("simulated_tool", stage.spoken[0].usage) and first.completion == ""


def test_faults_come_as_often_as_they_are_ordered() -> None:
    def reply(request: Request) -> str:
        return result("part" if PARTIAL in request.prompt.messages[0]["content"] else "whole")

    faults = Faults(no_answer=0.2, partial_answer=0.3)
    tools = [tool(ScriptedLlm(reply), Stage("?", f"t{number}", 0), faults) for number in range(1000)]
    counts = Counter(call(each)["result"] for each in tools)
    # Binomial with n = 1000: standard deviations of 12.6, 14.5 and 15.8; four of them on either side
    assert abs(counts[None] - 200) < 51 and abs(counts["part"] - 300) < 58 and abs(counts["whole"] - 500) < 64


def test_the_same_call_in_the_same_task_always_has_the_same_fate() -> None:
    faults = Faults(no_answer=0.5)
    fates = [
        [
            call(tool(ScriptedLlm([result()]), Stage("?", task, 0), faults), f"{number}")["result"]
            for number in range(20)
        ]
        for task in ("t1", "t1", "t2")
    ]
    assert fates[0] == fates[1] != fates[2]


def test_a_model_without_a_usable_answer_is_a_tool_that_failed() -> None:
    with pytest.raises(ToolError, match="'search_web' gave no usable result"):
        call(tool(ScriptedLlm(["nothing"] * 3)))


def test_a_model_that_cannot_be_asked_is_no_fault_of_the_agent_s() -> None:
    def fail(_request: Request) -> str:
        raise LlmError("the server is gone")

    with pytest.raises(LlmError, match="the server is gone"):
        call(tool(ScriptedLlm(fail)))
