"""A user's function becomes a tool by its dotted path."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agentbench.errors import PreflightError, ToolError
from agentbench.tools.function.binding import FunctionTool, function_at, misfit
from agentbench.types import ToolKind, ToolSpec

OWN = Path(__file__).parent / "own_tools.py"
NUMBER = {"type": "number"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with the user's module in it."""
    shutil.copy(OWN, tmp_path / "shop_tools.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shop_tools", raising=False)


def spec(name: str, required: tuple[str, ...] = (), **properties: Any) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ToolSpec(name, "", schema, ToolKind.FUNCTION)


def tool(name: str, blocking: bool = False) -> FunctionTool:
    return FunctionTool(spec(name), function_at(f"shop_tools.{name}"), blocking=blocking)


def called(tool: FunctionTool, **arguments: Any) -> str:
    return asyncio.run(tool.call(arguments)).text


def test_an_object_is_the_result_as_it_is() -> None:
    assert called(tool("tip"), bill=60.0) == '{"tip":9.0}'  # 15 % of 60


def test_anything_else_is_called_result() -> None:
    assert called(tool("words"), text="a b") == '{"result":["a","b"]}'


def test_a_coroutine_is_awaited() -> None:
    assert called(tool("later"), seconds=0.0) == '{"result":0.0}'


def test_a_blocking_function_lets_others_go_on() -> None:
    async def three() -> None:
        await asyncio.gather(*(tool("slow", blocking=True).call({}) for _ in range(3)))

    started = time.perf_counter()
    asyncio.run(three())
    assert time.perf_counter() - started < 0.55  # one after the other they take 0.6 s


def test_a_function_that_never_comes_back_holds_up_nobody() -> None:
    hangs, released = [tool("hangs", blocking=True) for _ in range(40)], function_at("shop_tools.release")

    async def given_up() -> str:
        for each in hangs:  # more than a pool of threads has
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(each.call({}), 0.01)
        return (await tool("slow", blocking=True).call({})).text

    assert asyncio.run(given_up()) == '{"result":"done"}'
    released()  # the run is over although they were all still waiting


@pytest.mark.parametrize("blocking", [True, False])
def test_a_function_that_ends_the_program_ends_its_call_alone(blocking: bool) -> None:
    with pytest.raises(ToolError, match="leaves failed: SystemExit: 7"):
        called(tool("leaves", blocking))
    with pytest.raises(ToolError, match="stops failed: RuntimeError: StopIteration"):
        called(tool("stops", True))


def test_what_a_function_raises_is_told_to_the_agent() -> None:
    with pytest.raises(ToolError, match="fails failed: KeyError: 'no such price'"):
        called(tool("fails"), reason="no such price")


def test_a_result_that_is_no_json_is_the_tools_failure() -> None:
    with pytest.raises(ToolError, match="odd failed"):
        called(FunctionTool(spec("odd"), lambda: object()))


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("shop_tool.tip", "No module named 'shop_tool'"),
        ("shop_tools.tips", "has no 'tips', did you mean 'tip'"),
        ("shop_tools.OWN", "has no 'OWN'"),
    ],
)
def test_a_path_that_leads_nowhere_is_one_line(path: str, problem: str) -> None:
    with pytest.raises(PreflightError, match=problem) as error:
        function_at(path)
    assert "\n" not in str(error.value)


def test_a_schema_that_does_not_fit_its_function_is_told_before_the_first_episode() -> None:
    tip = function_at("shop_tools.tip")
    assert misfit(spec("tip", ("bill",), bill=NUMBER, percent=NUMBER), tip) == ""
    assert misfit(spec("tip", ("bill",), bill=NUMBER, share=NUMBER), tip) == (
        "it takes no 'share', which its schema declares"
    )
    assert misfit(spec("tip", (), bill=NUMBER), tip) == "it needs 'bill', which its schema does not require"
    assert misfit(spec("any", (), anything=NUMBER), lambda **given: given) == ""
