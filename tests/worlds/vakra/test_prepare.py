"""Data in VAKRA's format as worlds and tasks."""

from __future__ import annotations

from contextlib import closing

import pytest

from agentbench.config.env import Granularity
from agentbench.errors import DataError, PreflightError
from agentbench.tools.sql.database import Database
from agentbench.types import AnswerType, Exchange, ToolKind
from agentbench.worlds.manifest import read_world

ONE, TWO = "capability_1_bi_apis/output", "capability_2_dashboard_apis/output"
POLICY = "For every question use only document retrievers. Do not use other types of tools."


def test_a_domain_of_all_capabilities_becomes_one_world(library) -> None:
    world = library.prepare()
    assert {item.value: sorted(library.tasks(world, item)) for item in Granularity} == {
        "rest": ["hops", "rest", "turns"],
        "slot_filling": ["handles", "labels"],
        "selection": ["getters"],
    }
    assert library.said == [
        "library: 6 records read, 6 kept (rest 3, slot_filling 2, selection 1); 0 left out; gold holds for 6 of 6"
    ]


def test_the_world_uses_the_database_where_it_lies(library) -> None:
    world = library.prepare()
    assert world.database == library.database.resolve()
    assert not (world.folder / "database.sqlite").exists() and read_world(world.folder) == world


def test_columns_are_called_as_the_benchmark_calls_them(library) -> None:
    by_id = {universe.id: universe for universe in library.prepare().manifest.universes}
    assert [column.name for column in by_id["getters"].columns] == ["id", "author_id", "title", "Page_Count", "printed"]
    assert [column.name for column in by_id["labels"].columns][3:6] == [
        "books_Page_Count",
        "books_printed",
        "authors_id",
    ]


def test_endpoints_of_another_domain_whose_name_begins_alike_are_not_taken(library) -> None:
    api = library.prepare().manifest.http
    assert api is not None
    assert [endpoint.path for endpoint in api.endpoints] == ["/v1/library/author", "/v1/library/books"]


def test_labels_and_handles_become_references(library) -> None:
    found = library.tasks(library.prepare())
    calls = {uuid: [action.calls[0] for action in task.turns[0].gold.actions] for uuid, task in found.items()}
    assert [item.arguments.get("data_label") for item in calls["labels"]] == [None, "$var_1.handle$", "$var_2.handle$"]
    assert calls["handles"][3].arguments["input_1"] == "$var_2.result$"
    assert [item.name for item in calls["getters"]][-2:] == ["truncate", "get_titles"]
    assert calls["getters"][-1].arguments == {"data_label": "$var_4.handle$"}


def test_gold_of_endpoints_is_typed_and_named_as_the_endpoint(library) -> None:
    made = library.tasks(library.prepare())["hops"].turns[0].gold.actions[1].calls[0]
    assert (made.name, made.arguments) == ("get_books_v1_library_books_get", {"name": "Ben Costa", "least": 100})


def test_a_dialogue_gives_earlier_turns_rules_and_documents(library) -> None:
    task = library.tasks(library.prepare())["turns"]
    assert task.earlier == (Exchange("Who wrote Salt Roads?", "Ben Costa"),)
    assert (task.rules[0].text, task.rules[0].forbids) == (POLICY, (ToolKind.API,))
    assert task.tools_allowed == (ToolKind.API, ToolKind.RETRIEVER)
    gold = task.turns[0].gold
    assert gold.documents == ("d-1",)
    assert gold.actions[0].calls[0].arguments == {"collection": "library", "query": "Ben Costa born"}


def test_a_task_carries_the_facts_that_scorers_and_filters_ask_for(library) -> None:
    found = library.tasks(library.prepare())
    assert found["turns"].data == {
        "capability": 4, "universe": "", "uuid": "turns", "turn_id": 2, "gold_answer": ["Abeche"],
        "gold_responses": [], "scenario": "rag", "tool_availability": "both_api_rag", "granularity": "rest",
        "split": "test", "policy": "only_retriever", "gold_replays": True,
    }  # fmt: skip
    assert (found["labels"].data["universe"], found["labels"].data["gold_responses"]) == ("labels", ["3"])


def test_what_does_not_fit_the_database_is_named_and_counted(library, records) -> None:
    labels, _, getters = records[ONE]
    init = labels["ground_truth"][0]["gold_sequence"][0]["tool_call"][0]
    init["arguments"]["condition_sequence"] = [["T1.auther_id", "T2.id", "INNER"]]
    library.records(ONE, [labels, {**getters, "uuid": "lost"}])
    library.prepare()
    assert library.said[0].endswith(
        "tool universe 'labels': no column 'auther_id' in the table 'books', did you mean 'author_id'?"
    )
    assert "5 records read, 3 kept" in library.said[1]
    assert "2 left out (a tool universe that does not fit the database 1, no tool universe 1)" in library.said[1]


def test_gold_that_cannot_be_carried_out_is_counted_and_its_task_stays(library, records) -> None:
    labels, handles, _ = records[ONE]
    labels["ground_truth"][0]["gold_sequence"][0]["tool_call"][1]["arguments"]["key_name"] = "authors_town"
    handles["output"][0]["answer"] = [[7]]
    library.records(ONE, [labels, handles])
    found = library.tasks(library.prepare(), Granularity.SLOT_FILLING)
    assert [found[uuid].data["gold_replays"] for uuid in ("labels", "handles")] == [False, False]
    assert "gold holds for 3 of 5" in library.said[0]
    assert "filter_data gives tool_error 1" in library.said[0]
    assert "another answer than the ground truth's 1" in library.said[0]


WRONG_CALLS = {
    "no such endpoint": {"name": "get_publisher", "arguments": {}},
    "arguments that the endpoint does not take": {"name": "get_author", "arguments": {"name": "x"}},
    "a search in a collection without documents": {"name": "query_harbour", "arguments": {"question": "x"}},
}


@pytest.mark.parametrize("reason", WRONG_CALLS)
def test_gold_of_endpoints_that_does_not_fit_is_counted(library, records, reason: str) -> None:
    records[TWO][0]["output"][0]["sequence"]["tool_call"] = WRONG_CALLS[reason]
    library.records(TWO, records[TWO])
    library.prepare()
    assert f"gold holds for 5 of 6 ({reason} 1)" in library.said[0]


def test_without_a_base_url_endpoints_are_left_out_and_counted(library) -> None:
    assert library.prepare(base_url="").manifest.http is None
    assert library.said[0].endswith("2 endpoints left out (no source.base_url)")


def test_a_domain_without_a_database_keeps_what_needs_none(library) -> None:
    library.database.unlink()
    world = library.prepare()
    assert "3 left out (no database library.sqlite 3)" in library.said[0]
    with closing(Database(world.database, 1.0)) as database:
        assert database.rows("SELECT count(*) FROM sqlite_master") == [(0,)]


def test_questions_without_ground_truth_are_kept_and_nothing_is_right(library) -> None:
    library.remove("test/*/output/library.json")
    (task,) = library.tasks(library.prepare()).values()
    assert task.data["gold_answer"] is None and task.turns[0].gold.answer.type is AnswerType.NUMBER
    assert "1 without ground truth, to be predicted only" in library.said[0]


def test_a_policy_about_elsewhere_does_not_bind(library, records) -> None:
    scenarios = {"tool_use_policy": POLICY, "policy_domain": "OUT_DOMAIN", "tool_availability": "ONLY_API"}
    (asked,) = records["capability_4_multiturn/input"]
    library.records("capability_4_multiturn/input", [{**asked, "additional_instructions": "", "scenarios": scenarios}])
    task = library.tasks(library.prepare())["turns"]
    assert (task.rules[0].text, task.rules[0].forbids) == (POLICY, ())
    assert (task.tools_allowed, task.data["tool_availability"]) == ((ToolKind.API,), "only_api")


def test_a_policy_that_is_not_understood_is_counted(library, records) -> None:
    (asked,) = records["capability_4_multiturn/input"]
    library.records("capability_4_multiturn/input", [{**asked, "additional_instructions": "Be brief and kind."}])
    assert library.tasks(library.prepare())["turns"].rules[0].forbids == ()
    assert "1 with a policy of no known family, shown and not checked" in library.said[0]


SCENARIOS = {"(API)": "api", "(RAG)": "rag", "(API-RAG)(RAG-API)": "rag_before_api", "(RAG)(API-RAG)": "api_before_rag"}


@pytest.mark.parametrize("hops", SCENARIOS)
def test_the_hops_of_the_last_turn_make_the_scenario(library, records, hops: str) -> None:
    records[TWO][0]["output"][0]["type"] = hops
    library.records(TWO, records[TWO])
    assert library.tasks(library.prepare())["rest"].data["scenario"] == SCENARIOS[hops]


def test_an_older_record_that_lacks_its_tool_is_unanswerable(library, records) -> None:
    (asked,) = records["capability_4_multiturn/input"]
    library.records("capability_4_multiturn/input", [{**asked, "scenarios": {"missing_api": True}}])
    library.records("capability_4_multiturn/output", [])
    task = library.tasks(library.prepare())["turns"]
    assert task.turns[0].gold.answer.type is AnswerType.UNANSWERABLE


def test_the_same_data_are_not_prepared_twice(library) -> None:
    first = library.prepare()
    assert library.prepare() == first and library.said[0].startswith("library: made before from the same")


def test_another_world_in_the_folder_is_not_touched(library, records) -> None:
    library.prepare()
    library.records(TWO, [{**records[TWO][0], "uuid": "other"}])
    with pytest.raises(PreflightError, match="is there already and holds something else"):
        library.prepare()


def test_two_databases_of_one_name_are_not_chosen_between(library) -> None:
    library.put("old/library/library.sqlite", b"")
    with pytest.raises(PreflightError, match="two databases for 'library'"):
        library.prepare()


def test_data_of_which_nothing_is_left_are_refused(library) -> None:
    library.remove("test/capability_[234]*/*/*.json")
    library.database.unlink()
    with pytest.raises(DataError, match="no task could be made"):
        library.prepare()
