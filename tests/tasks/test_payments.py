"""Generated requests about money: different words, the same ones for a seed, and one call that is meant."""

from __future__ import annotations

import jsonschema
import pytest

from agentbench.config.tasks import Split
from agentbench.tasks.files import read_tasks, write_tasks
from agentbench.tasks.payments.functions import FUNCTIONS, function_task, gold_call
from agentbench.tasks.payments.requests import PaymentRequest, payment_requests
from agentbench.tasks.payments.wording import PATTERNS, PEOPLE, Act, amounts
from agentbench.types import CallTools, ToolCall


@pytest.fixture(scope="module")
def requests() -> tuple[PaymentRequest, ...]:
    return payment_requests(5000, Split.TRAIN, PEOPLE, 0)


def test_five_thousand_requests_are_all_said_differently(requests: tuple[PaymentRequest, ...]) -> None:
    assert len({request.text.casefold() for request in requests}) == len(requests) == 5000


def test_requests_differ_in_act_person_amount_purpose_and_pattern(requests: tuple[PaymentRequest, ...]) -> None:
    assert {request.act for request in requests} == set(Act)
    assert {request.person for request in requests} == {"", *PEOPLE}
    assert len({request.cents for request in requests}) > 1000
    assert len({request.purpose for request in requests}) > 40
    assert {request.pattern for request in requests} == {
        each for kind in PATTERNS.values() for each in kind[Split.TRAIN]
    }


def test_a_seed_gives_the_same_requests_and_another_one_others() -> None:
    first, again, other = (payment_requests(50, Split.TEST, PEOPLE, seed) for seed in (1, 1, 2))
    assert first == again and not {each.text for each in first} & {each.text for each in other}


def test_no_pattern_is_in_two_splits() -> None:
    for patterns in PATTERNS.values():
        said = [pattern for found in patterns.values() for pattern in found]
        assert len(said) == len(set(said)) and set(patterns) == set(Split)


def test_a_request_says_all_that_its_call_holds(requests: tuple[PaymentRequest, ...]) -> None:
    for request in requests[:500]:
        arguments = gold_call(request).arguments
        assert arguments.get("person", "") in request.text and arguments.get("note", "") in request.text
        assert any(said in request.text for said in amounts(request.cents))


def test_amounts_are_said_exactly() -> None:
    assert amounts(1250) == ("$12.50", "12.50 dollars", "12 dollars and 50 cents")
    assert amounts(2000) == ("$20", "20 bucks", "20 dollars", "$20.00")
    assert amounts(305) == ("$3.05", "3.05 dollars", "3 dollars and 5 cents")


def test_a_request_becomes_a_task_with_three_functions_and_one_call(tmp_path) -> None:
    request = PaymentRequest("pay Otto $3.05 for gas", Act.SEND, 305, "Otto Lund", "gas")
    write_tasks(tmp_path / "tasks.jsonl", [function_task(request, 7, Split.TRAIN)])
    (task,) = read_tasks(tmp_path / "tasks.jsonl")
    call = ToolCall("send_money", {"person": "Otto", "amount": 3.05, "note": "gas"})
    assert task.id == "payments-train-00007" and task.turns[0].gold.actions == (CallTools((call,)),)
    assert [tool["name"] for tool in task.data["tools"]] == ["send_money", "request_payment", "add_balance"]


def test_gold_calls_satisfy_the_functions_schemas(requests: tuple[PaymentRequest, ...]) -> None:
    schemas = {spec.name: spec.parameters for spec in FUNCTIONS}
    for request in requests[:500]:
        call = gold_call(request)
        jsonschema.validate(call.arguments, schemas[call.name])
