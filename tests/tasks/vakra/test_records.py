"""One record in any of its published forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from agentbench.errors import DataError
from agentbench.tasks.vakra.records import VakraCall, VakraTurn, read_record

FILE = Path("library.json")
CALL = {"name": "get_author", "arguments": {"title": "Tidal Charts"}}
EXPECTED = VakraTurn(
    0, "Who?", [["Ana Brod"]], calls=(VakraCall("get_author", {"title": "Tidal Charts"}),), responses=(["Ana Brod"],)
)


def record(key: str, sequence_key: str, sequence: Any) -> dict[str, Any]:
    turn = {"turn_id": 0, "query": "Who?", "answer": [["Ana Brod"]], sequence_key: sequence}
    return {"uuid": "u-1", "domain": "library", key: [turn]}


RESPONSE = {"tool_response": [["Ana Brod"]]}
FORMS = {
    "output with one sequence": record("output", "sequence", {"tool_call": [CALL], **RESPONSE}),
    "ground truth with a list of steps": record("ground_truth", "gold_sequence", [{"tool_call": [CALL], **RESPONSE}]),
    "calls in a list in a list": record("output", "sequence", {"tool_call": [[CALL]], **RESPONSE}),
    "a call by itself": record("output", "gold_sequence", {"tool_call": CALL, **RESPONSE}),
    "arguments as a JSON text": record(
        "output", "sequence", {"tool_call": [{**CALL, "arguments": '{"title": "Tidal Charts"}'}], **RESPONSE}
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_gold_reads_the_same_in_every_form(form: dict[str, Any]) -> None:
    gold = read_record(form, FILE).gold
    assert gold is not None and gold.turns == (EXPECTED,)


def test_an_empty_output_beside_ground_truth_is_not_the_gold() -> None:
    value = {**record("ground_truth", "sequence", {"tool_call": [CALL], **RESPONSE}), "output": []}
    gold = read_record(value, FILE).gold
    assert gold is not None and gold.turns == (EXPECTED,)


def test_a_json_text_of_no_turns_is_no_gold(question: dict[str, Any]) -> None:
    assert read_record({**question, "output": "[]"}, FILE).gold is None


def test_turns_may_be_json_texts(question: dict[str, Any]) -> None:
    texts = [orjson.dumps(turn).decode() for turn in question["dialogue"]["turns"]]
    read = read_record({**question, "dialogue": {"turns": texts}}, FILE)
    assert read == read_record(question, FILE)


def test_older_names_of_id_domain_and_turns_are_understood() -> None:
    turn = {"query": "Who?", "answer": "Ana Brod", "type": "(API-RAG)"}
    value = {"sample_id": "91_sc", "dataset_name": "library", "turns": [turn], "scenarios": {"missing_api": True}}
    asked = read_record(value, FILE).question
    assert asked is not None
    assert (asked.uuid, asked.domain, asked.scenarios) == ("91_sc", "library", {"missing_api": True})
    assert asked.turns == (VakraTurn(0, "Who?", "Ana Brod", hops="API-RAG"),)


WRONG = {
    "no uuid": ({"uuid": 7}, "record '7': uuid is 7, not a text"),
    "a domain that is a path": ({"domain": "../etc"}, "record 'u-1': domain is '../etc'"),
    "no turns": ({"dialogue": {}}, "record 'u-1': it has no turns"),
    "a list of no turns as a JSON text": ({"dialogue": {"turns": "[]"}}, "record 'u-1': it has no turns"),
    "turns that are a number": ({"dialogue": {"turns": 3}}, "record 'u-1': its turns are 3, not a list"),
    "a turn that is no JSON": ({"dialogue": {"turns": ["{"]}}, "record 'u-1': '{' is no JSON"),
    "a question without words": ({"dialogue": {"turns": [{"query": " "}]}}, "turn 1 asks nothing: its query is ' '"),
    "a turn_id that is a text": ({"dialogue": {"turns": [{"query": "a", "turn_id": "x"}]}}, "the turn_id 'x'"),
    "instructions that are a list": ({"additional_instructions": ["a"]}, "additional_instructions is ['a']"),
}


@pytest.mark.parametrize(("change", "complaint"), WRONG.values(), ids=WRONG)
def test_a_bad_record_is_named_with_its_file(question: dict[str, Any], change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DataError) as error:
        read_record({**question, **change}, FILE)
    assert str(error.value).startswith("library.json: record ") and complaint in str(error.value)


WRONG_CALLS = {
    "a call without a name": ({"tool_call": [{"arguments": {}}]}, "a tool call of turn 1 is {'arguments': {}}"),
    "arguments that are a list": (
        {"tool_call": [{"name": "a", "arguments": [1]}]},
        "a of turn 1 has the arguments [1]",
    ),
    "a sequence of numbers": ([1], "the sequence of turn 1 holds 1, not an object"),
}


@pytest.mark.parametrize(("sequence", "complaint"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_bad_gold_is_named(sequence: Any, complaint: str) -> None:
    with pytest.raises(DataError, match="record 'u-1'") as error:
        read_record(record("output", "sequence", sequence), FILE)
    assert complaint in str(error.value)
