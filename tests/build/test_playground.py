"""Declared tools become tools, or the declaration is told what is wrong with it in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.build.fields import Field
from agentbench.build.runs import field_of
from agentbench.config.entry import RolloutConfig
from agentbench.errors import AgentbenchError


def opened(*overrides: str) -> Field:
    config = check("rollout", RolloutConfig, read_command_line(["env=playground", *overrides])).config
    return field_of(config, lambda _: None)


@pytest.mark.parametrize(
    ("override", "code", "problem"),
    [
        ("env.tools.calculator.function=nowhere_tools.tip", 5, "No module named 'nowhere_tools'"),
        ("env.tools.calculator.function=tip", 2, "is no dotted path like module.function"),
        ("env.tools.calculator.parameters.type=array", 2, "a JSON Schema with type: object and properties"),
        ("env.tools.calculator.parameters.required=[text]", 2, "'text' is not among the properties"),
        ("env.tools.calculator.parameters.properties.expression.type=words", 5, "no JSON Schema"),
        ("env.tools.weather.parameters.required=[city]", 5, "it needs 'date', which its schema does not require"),
        ("env.tool_concurrency.calculatr=1", 2, "did you mean 'calculator'"),
        ("env.requests=nowhere.yaml", 5, "nowhere.yaml"),
    ],
)
def test_a_wrong_declaration_is_one_line(override: str, code: int, problem: str) -> None:
    with pytest.raises(AgentbenchError) as error:
        opened(override)
    assert error.value.exit_code == code and problem in str(error.value) and "\n" not in str(error.value)


def test_a_template_for_a_tool_that_is_not_there_says_so(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "[{name: tip, wordings: [a, b, c], slots: {}, calls: [{tool: tip, arguments: {}}], answer: '{1.tip}'}]"
    )
    with pytest.raises(AgentbenchError, match=r"template 'tip' calls 'tip', which env\.tools does not declare"):
        opened(f"env.requests={path}")


HANGING = """
import asyncio, time

def stuck(expression):
    time.sleep(3600)

async def waiting(expression):
    await asyncio.sleep(3600)
"""


@pytest.mark.parametrize("name", ["stuck", "waiting"])
def test_a_gold_call_that_never_comes_back_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hanging_tools.py").write_text(HANGING)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AgentbenchError, match=r"a gold call fails: 'calculator' gave no result within 0\.2 s"):
        opened(f"env.tools.calculator.function=hanging_tools.{name}", "env.tool_timeout_s=0.2")


def test_a_limit_draws_evenly_over_templates() -> None:
    domains = [task.domain for task in opened("tasks.limit=16").tasks]
    assert sorted({domains.count(name) for name in domains}) == [2]  # eight templates
