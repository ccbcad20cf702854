"""Inputs and ground truth of a folder put together."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from agentbench.config.env import Granularity
from agentbench.errors import DataError, PreflightError
from agentbench.tasks.vakra.reading import NO_ANSWER, REPEATED, Dialogue, Domain, read_vakra

FOLDER = "capability_2_dashboard_apis"
INPUT, OUTPUT = f"{FOLDER}/input/library.json", f"{FOLDER}/output/library.json"
INIT = {"alias_to_table_dict": {"": {"original_table_name": "books"}}, "condition_sequence": []}


def only(data_dir: Path) -> Domain:
    (domain,) = read_vakra(data_dir).domains
    return domain


def dialogue(data_dir: Path) -> Dialogue:
    (found,) = only(data_dir).dialogues
    return found


def test_a_question_finds_its_gold_though_one_counts_turns_from_one(write, question, gold, tmp_path: Path) -> None:
    write(INPUT, [question])
    write(OUTPUT, [gold])
    found = dialogue(tmp_path)
    (turn,) = found.record.turns
    assert (found.capability, turn.turn_id, turn.answer) == (2, 1, [["Ana Brod"]])
    assert (turn.calls[0].name, turn.responses) == ("get_author", (["Ana Brod"],))


def test_ground_truth_alone_asks_its_own_question(write, gold, tmp_path: Path) -> None:
    write(OUTPUT, [gold])
    assert dialogue(tmp_path).record.turns[0].query == "Who wrote Tidal Charts?"


def test_a_question_without_any_ground_truth_is_kept(write, question, tmp_path: Path) -> None:
    write(INPUT, [question])
    assert dialogue(tmp_path).record.turns[0].answer is None


def test_a_question_that_the_ground_truth_leaves_out_is_counted(write, question, gold, tmp_path: Path) -> None:
    write(INPUT, [question, {**question, "uuid": "u-2"}])
    write(OUTPUT, [gold])
    domain = only(tmp_path)
    assert (domain.read, len(domain.dialogues), dict(domain.left_out)) == (2, 1, {NO_ANSWER: 1})


def test_the_same_record_twice_is_counted_once(write, question, tmp_path: Path) -> None:
    write(INPUT, [question, question])
    assert dict(only(tmp_path).left_out) == {REPEATED: 1}


def test_predictions_are_no_ground_truth(write, question, gold, tmp_path: Path) -> None:
    write(INPUT, [question])
    write("results/library.json", [{**gold, "status": "success"}])
    assert read_vakra(tmp_path).predictions == 1
    assert dialogue(tmp_path).record.turns[0].answer is None


def test_an_earlier_turn_takes_its_answer_from_either_side(write, question, gold, tmp_path: Path) -> None:
    write(INPUT, [with_turn(question, "dialogue", {"turn_id": 0, "query": "Which book is longest?"})])
    write(OUTPUT, [with_turn(gold, "output", {"query": "Which book is longest?", "answer": [["Tidal Charts"]]})])
    earlier, last = dialogue(tmp_path).record.turns
    assert (earlier.answer, last.answer) == ([["Tidal Charts"]], [["Ana Brod"]])


def test_an_earlier_turn_without_answer_is_named(write, question, tmp_path: Path) -> None:
    write(INPUT, [with_turn(question, "dialogue", {"query": "Which book is longest?"})])
    with pytest.raises(DataError, match="record 'u-1': turn 1 was over before and has no answer"):
        read_vakra(tmp_path)


def with_turn(record: dict[str, Any], key: str, turn: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(record)
    turns = changed[key]["turns"] if key == "dialogue" else changed[key]
    turns.insert(0, turn)
    return changed


CAPABILITIES = {
    "by the folder's name": ("capability_3_multihop_reasoning/library.json", {}, 3),
    "the fifth task of older releases is the fourth": ("task_5/library.json", {}, 4),
    "one call in no folder": ("library.json", {}, 2),
    "instructions in no folder": ("library.json", {"additional_instructions": "Only use document retrievers."}, 4),
}


@pytest.mark.parametrize(("name", "change", "expected"), CAPABILITIES.values(), ids=CAPABILITIES)
def test_the_capability_is_told(write, gold, tmp_path: Path, name: str, change: dict[str, Any], expected: int) -> None:
    write(name, [{**gold, **change}])
    assert dialogue(tmp_path).capability == expected


def test_a_universe_comes_from_the_map(write, question, tmp_path: Path) -> None:
    write("library.json", [question])
    write("mcp_tool_universe_id_mapping.yaml", YAML_MAP)
    found = dialogue(tmp_path)
    assert found.universe is not None and found.capability == 1
    assert (found.universe.granularity, found.universe.tables[0].name) == (Granularity.SELECTION, "books")


YAML_MAP = b"""
u-1:
  domain: library
  server_type: selection
  init_args: {alias_to_table_dict: {T1: {original_table_name: books, modified_table_name: books}}}
"""


@pytest.mark.parametrize(("tool", "expected"), [("filter_data", "slot_filling"), ("select_data_like", "selection")])
def test_a_universe_comes_from_the_gold(write, gold, tmp_path: Path, tool: str, expected: str) -> None:
    calls = [{"name": "initialize_active_data", "arguments": INIT}, {"name": tool, "arguments": {}}]
    gold["output"][0]["sequence"] = {"tool_call": calls}
    write("library.json", [gold])
    found = dialogue(tmp_path)
    assert found.universe is not None and found.universe.granularity == expected


UNIVERSES = {
    "no tables": ({"alias_to_table_dict": {}}, "names no table"),
    "a table without a name": ({"alias_to_table_dict": {"T1": {}}}, "the alias 'T1' stands for {}"),
    "a join of one side": ({**INIT, "condition_sequence": [["T1.a"]]}, "is not of the form"),
    "a join with nobody": ({**INIT, "condition_sequence": [["T8.a", "T9.b", "INNER"]]}, "the alias 'T8'"),
    "a join of no kind": ({**INIT, "condition_sequence": [[".a", ".b", "NATURAL"]]}, "of an unknown kind"),
}


@pytest.mark.parametrize(("arguments", "complaint"), UNIVERSES.values(), ids=UNIVERSES)
def test_a_bad_universe_is_named(write, question, tmp_path: Path, arguments: dict[str, Any], complaint: str) -> None:
    write("library.json", [question])
    write("universes.json", {"u-1": {"init_args": arguments}})
    with pytest.raises(DataError, match=r"universes\.json: tool universe 'u-1'") as error:
        read_vakra(tmp_path)
    assert complaint in str(error.value)


def test_a_folder_without_vakra_files_is_told(write, tmp_path: Path) -> None:
    write("notes.json", {"a": 1})
    write("broken.json", b"{")
    with pytest.raises(PreflightError, match="no VAKRA file in") as error:
        read_vakra(tmp_path)
    assert "data_dir=" in error.value.next_step


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="no folder at"):
        read_vakra(tmp_path / "nowhere")


def test_broken_records_are_told_with_their_line(write, tmp_path: Path) -> None:
    write("library.json", b'[{"uuid": "u-1",\n "domain" }]')
    with pytest.raises(DataError, match=r"library\.json, line 2: no JSON"):
        read_vakra(tmp_path)


def test_an_unknown_domain_is_told_with_those_there_are(write, question, tmp_path: Path) -> None:
    write(INPUT, [question])
    with pytest.raises(PreflightError, match=r"no record of the domain 'libary'.*did you mean 'library'") as error:
        read_vakra(tmp_path, ["libary"])
    assert "library" in error.value.next_step
