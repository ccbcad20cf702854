"""Official entries as tasks; the entries here are of our own making, in the official form."""

from __future__ import annotations

from typing import Any

import pytest

from agentbench.errors import DataError
from agentbench.tasks.bfcl.questions import json_schema, questions
from agentbench.types import AnswerType, Exchange, ToolCall

ADDED = "There is more now."


def function(name: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "dict", "properties": properties, "required": sorted(properties)[:1]}
    return {"name": name, "description": f"About {name}.", "parameters": schema}


def single(category: str, messages: list[dict[str, str]], truth: Any, *functions: dict[str, Any]) -> Any:
    entry = {"id": f"{category}_0", "question": [messages], "function": list(functions)}
    loaded = {"entry": entry, "shown": list(functions), "ground_truth": truth}
    (question,) = questions(category, [loaded], ADDED)
    return question


USER = {"role": "user", "content": "Two tickets to Lund."}
BUY = function("trains.buy", count={"type": "integer"}, city={"type": "string"})


def test_names_lose_their_dots_and_can_get_them_back() -> None:
    question = single("parallel", [USER], [{"trains.buy": {"count": [2], "city": ["Lund"]}}], BUY)
    assert [tool.name for tool in question.tools] == ["trains_buy"]
    assert question.names == {"trains_buy": "trains.buy"}
    (action,) = question.task.turns[0].gold.actions
    assert action.calls == (ToolCall("trains_buy", {"count": 2, "city": "Lund"}),)


def test_all_calls_of_an_answer_are_one_action() -> None:
    truth = [{"trains.buy": {"city": ["Lund"]}}, {"trains.buy": {"city": ["Ystad"]}}]
    (action,) = single("parallel", [USER], truth, BUY).task.turns[0].gold.actions
    assert [call.arguments["city"] for call in action.calls] == ["Lund", "Ystad"]


def test_two_functions_that_become_one_are_refused() -> None:
    with pytest.raises(DataError, match="the same name"):
        single("multiple", [USER], None, BUY, function("trains_buy"))


def test_where_no_function_fits_a_refusal_is_right() -> None:
    gold = single("irrelevance", [USER], None, BUY).task.turns[0].gold
    assert (gold.answer.type, gold.actions) == (AnswerType.UNANSWERABLE, ())


def test_earlier_messages_are_earlier_turns_and_system_text_is_a_rule() -> None:
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello."},
        {"role": "user", "content": "Are you there?"},
        {"role": "assistant", "content": "Yes."},
        USER,
    ]
    task = single("live_irrelevance", said, None, BUY).task
    assert [rule.text for rule in task.rules] == ["Be brief."]
    assert task.earlier == (Exchange("Hello.\nAre you there?", "Yes."),)
    assert task.turns[0].query == "Two tickets to Lund."


@pytest.mark.parametrize(
    ("official", "schema"),
    [
        ({"type": "dict"}, {"type": "object"}),
        ({"type": "float", "description": "d"}, {"type": "number", "description": "d"}),
        ({"type": "any"}, {}),
        ({"type": "tuple", "items": {"type": "String"}}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "string", "optional": True, "default": "x"}, {"type": "string", "default": "x"}),
    ],
)
def test_types_are_those_of_json_schema(official: dict[str, Any], schema: dict[str, Any]) -> None:
    assert json_schema(official) == schema


def dialogue() -> Any:
    entry = {
        "id": "multi_turn_miss_func_0",
        "question": [[USER], [], [{"role": "user", "content": "Back again."}]],
        "initial_config": {},
        "involved_classes": ["TravelAPI"],
        "missed_function": {"1": [function("rail.back", city={"type": "string"})]},
    }
    loaded = {"entry": entry, "shown": [BUY], "ground_truth": [[], [], ["cancel('Lund')"]]}
    loaded["shown"] = [BUY, function("cancel", city={"type": "string"})]
    (question,) = questions("multi_turn_miss_func", [loaded], ADDED)
    return question


def test_functions_that_come_later_stand_in_the_turn_that_brings_them() -> None:
    question = dialogue()
    assert [tool.name for tool in question.tools] == ["trains_buy", "cancel"]
    assert [tool.name for tool in question.later[1]] == ["rail_back"]
    query = question.task.turns[1].query
    assert '"name": "rail_back"' in query and query.endswith(ADDED)


def test_a_dialogue_s_gold_is_a_script() -> None:
    gold = dialogue().task.turns[2].gold
    assert gold.in_order and gold.actions[0].calls == (ToolCall("cancel", {"city": "Lund"}),)


def test_all_questions_are_tests() -> None:
    assert dialogue().task.data["split"] == "test"
    assert single("irrelevance", [USER], None, BUY).task.data["split"] == "test"
