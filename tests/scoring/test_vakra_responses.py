"""Gold responses are looked for among what the calls brought."""

from __future__ import annotations

from typing import Any

import pytest

from agentbench.scoring.vakra_case import Made
from agentbench.scoring.vakra_responses import missing_strings, missing_values
from agentbench.types import Observation, Outcome, ToolKind


def api(text: str, outcome: Outcome = Outcome.OK) -> Made:
    return Made("get_ships", ToolKind.API, Observation(text, outcome))


def search(text: str, outcome: Outcome = Outcome.OK) -> Made:
    return Made("query_harbour", ToolKind.RETRIEVER, Observation(text, outcome))


FOUND = '{"results":[{"id":"1","text":"The quay.","distance":0.1},{"id":"2","text":"The mole.","distance":0.2}]}'
PEEK = '{"handle":"ships_1","num_records":7}'


@pytest.mark.parametrize(
    ("gold", "made"),
    [
        ({"count": [1], "name": "a"}, api('{"name": "a", "count": [1.0]}')),
        ('{"count": [1]}', api('{"count":[1]}')),
        ([[1]], api('{"count":[1]}')),
        ([1], api('{"count":[1]}')),
        (0.1 + 0.2, api("0.3")),
        ("no rows", api("no rows")),
        ({"handle": "ships_4", "num_records": 7}, api(PEEK)),
        ([{"text": "The mole."}], search(FOUND)),
        ({"results": [{"text": "The mole."}, {"text": "The quay."}]}, search(FOUND)),
    ],
)
def test_a_response_that_is_equal_as_json_is_there(gold: Any, made: Made) -> None:
    assert missing_values([gold], [made]) == []


@pytest.mark.parametrize(
    ("gold", "made"),
    [
        ({"count": [1]}, api('{"size":[1]}')),
        ({"count": [1]}, api("[1]")),
        ({"count": [1]}, api('{"count":[true]}')),
        ([1, 2], api('{"count":[2,1]}')),
        ({"count": [1]}, api('{"count":[1]}', Outcome.TOOL_ERROR)),
        ({"handle": "ships_1", "num_records": 8}, api(PEEK)),
        ({"handle": "ships_4"}, api('{"handle":"ships_1"}')),
        ([{"text": "The mole."}, {"text": "The crane."}], search(FOUND)),
    ],
)
def test_a_response_with_another_value_is_missing(gold: Any, made: Made) -> None:
    assert missing_values([gold], [made]) == [1]


def test_documents_may_come_up_in_several_searches() -> None:
    made = [search('{"results":[{"text":"The quay."}]}'), search('{"results":[{"text":"The mole."}]}')]
    assert missing_values([[{"text": "The mole."}, {"text": "The quay."}], {"count": [1]}], made) == [2]


@pytest.mark.parametrize(
    ("gold", "made", "missing"),
    [
        ({"count": [1]}, api('{"count": [1]}'), []),
        ({"count": [1]}, api('{"count":[1.0]}'), [1]),
        ({"a": 1, "b": 2}, api('{"b":2,"a":1}'), [1]),
        ([1], api('{"count":[1]}'), [1]),
        ({"error": "no"}, api('{"error":"no"}', Outcome.TOOL_ERROR), []),
        ([{"text": "The quay."}, {"text": "The mole."}], search(FOUND), []),
        ([{"text": "The mole."}, {"text": "The quay."}], search(FOUND), [1]),
        ({"results": []}, search('{"error":"no"}', Outcome.TOOL_ERROR), []),
    ],
)
def test_strings_are_equal_to_the_letter(gold: Any, made: Made, missing: list[int]) -> None:
    assert missing_strings([gold], [made]) == missing
