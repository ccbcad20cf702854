"""What fuzzing has found: each input that once brought out something else than an error of ours."""

from __future__ import annotations

import bz2
import dataclasses
import gzip
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agentbench.app.overrides import read_overrides
from agentbench.config import load
from agentbench.config.entry import RolloutConfig
from agentbench.config.yaml_text import read_yaml
from agentbench.errors import ConfigError, DataError
from agentbench.llm.openai_json import read_chat
from agentbench.reporting.facts import task_hash
from agentbench.reporting.html.page import Page, write_page
from agentbench.reporting.run_folder import read_labels
from agentbench.tasks.appworld import read_appworld
from agentbench.tasks.bfcl.questions import questions
from agentbench.tasks.bfcl.results import write_results
from agentbench.tasks.calls.nestful import read_nestful
from agentbench.tasks.calls.types import Typed, read_type
from agentbench.tasks.files import read_tasks
from agentbench.tasks.toolbench import read_trace
from agentbench.tools.assistant.pages import page_text
from agentbench.tools.function.calculator import calculate
from agentbench.tools.http.openapi import read_openapi
from agentbench.tools.tau2.domains import read_databases
from agentbench.training_data.rows import read_rows
from agentbench.types import EndReason, History, Observation, Trajectory, Usage
from agentbench.worlds.dump import passages
from agentbench.worlds.own_schema import copy_database, read_tables
from tests.fuzz import seeds
from tests.fuzz.parts import TASK
from tests.fuzz.said import REQUEST

DEEP = "[" * 20_000


def write(path: Path, content: str | bytes | Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return path


def changed(value: Any, *way: Any, to: Any) -> Any:
    """A seed with what is at the end of a way replaced."""
    copy = json.loads(json.dumps(value))
    place = copy
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = to
    return copy


def test_a_page_with_an_unknown_marked_section_is_read_to_its_end() -> None:
    assert page_text("<p>oil<![pt]></p><p>gas</p>") == "oil\ngas"


def test_rows_nested_without_end_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.jsonl, line 1: not JSON"):
        list(read_rows(write(tmp_path / "rows.jsonl", DEEP + "1")))


def test_functions_of_nestful_without_an_object_of_parameters_are_named(tmp_path: Path) -> None:
    spec, sequences = seeds.NESTFUL
    write(tmp_path / "a-spec.json", changed(spec, 0, "query_parameters", to="none"))
    write(tmp_path / "a-data.json", sequences)
    with pytest.raises(DataError, match=r"entry 1: the parameters of 'find_city' are an object, not 'none'"):
        read_nestful(tmp_path)


@pytest.mark.parametrize(
    "way", [("answer_generation",), ("answer_generation", "query"), ("answer_generation", "function", 0, "name")]
)
def test_traces_of_another_form_are_named(tmp_path: Path, way: tuple[Any, ...]) -> None:
    path = write(tmp_path / "G1_answer" / "1_x.json", changed(seeds.TOOLBENCH, *way, to=["odd"]))
    with pytest.raises(DataError, match="no trace of ToolBench"):
        read_trace(path)


def test_a_trace_without_a_question_asks_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "G1_answer" / "1_x.json", changed(seeds.TOOLBENCH, "answer_generation", "query", to=None))
    trajectory = read_trace(path)
    assert trajectory is not None and trajectory.history.opening.text == ""


@pytest.mark.parametrize(
    ("which", "category", "way", "to"),
    [
        (0, "parallel", (0, "entry", "function", 0, "name"), "other"),  # once "generator raised StopIteration"
        (0, "parallel", (0, "shown", 0), "none"),
        (1, "multi_turn_base", (0, "ground_truth", 0, 0), "ls("),
        (1, "multi_turn_base", (0, "ground_truth", 0, 0), "1if"),
    ],
)
def test_questions_of_bfcl_of_another_form_are_named(which: int, category: str, way: tuple[Any, ...], to: Any) -> None:
    with pytest.raises(DataError, match=rf"BFCL's questions of {category}: no question"):
        questions(category, changed(seeds.BFCL[which], *way, to=to), "More.")


def test_records_of_tau2_without_a_text_as_id_are_named(tmp_path: Path) -> None:
    write(tmp_path / "db.json", {"plans": [{"plan_id": ["p"]}]})
    with pytest.raises(DataError, match="is no record with a text as 'plan_id'"):
        read_databases(tmp_path)


@pytest.mark.parametrize("steps", [{}, {"steps": ["x"]}, {"steps": [{"code": 1, "thought": ""}]}])
def test_appworld_s_steps_of_another_form_are_named(tmp_path: Path, steps: Any) -> None:
    write(tmp_path / "data/tasks/a_1/specs.json", {"instruction": "Pay."})
    write(tmp_path / "data/tasks/a_1/ground_truth/steps.json", steps)
    write(tmp_path / "data/datasets/train.txt", "a_1\n")
    with pytest.raises(DataError, match="holds no steps of code and thought"):
        read_appworld(tmp_path, "train")


@pytest.mark.parametrize("content", [b"a_1\x83\n", b"../../../etc\n", b"/etc/passwd\n", b"a\x00b\n", b"a" * 300])
def test_appworld_s_lists_hold_ids_that_stay_in_the_folder(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "data/tasks/a_1/specs.json", {"instruction": "Pay."})
    write(tmp_path / "data/datasets/train.txt", content)
    with pytest.raises(DataError, match=r"is no UTF-8 text|is no task's id"):
        read_appworld(tmp_path, "train")


@pytest.mark.parametrize(("name", "pack"), [("a.gz", gzip.compress), ("a.bz2", bz2.compress)])
def test_cut_and_false_archives_are_named(tmp_path: Path, name: str, pack: Any) -> None:
    line = b'{"title": "Oil", "text": "A liquid."}\n'
    for content in (pack(line)[:-5], b"no archive at all"):
        with pytest.raises(DataError, match="cannot be read"):
            list(passages(write(tmp_path / name, content), 100))


def test_a_small_archive_of_one_endless_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbench.worlds.dump.LONGEST_LINE", 2**20)
    with pytest.raises(DataError, match="a line of more than 1 MiB is no article"):
        list(passages(write(tmp_path / "bomb.gz", gzip.compress(b"x" * 2**22)), 100))


def test_a_parameter_whose_type_is_no_text_is_named() -> None:
    odd = changed(seeds.OPENAPI, "components", "schemas", "Title", to={"type": 7})
    with pytest.raises(DataError, match="the parameter 'title' is of the type 7"):
        read_openapi(odd, "api.json")


def test_a_key_that_is_no_text_is_an_unknown_key() -> None:
    with pytest.raises(ConfigError, match="7: unknown key"):
        load({7: "x"}, RolloutConfig)  # type: ignore[arg-type]


def test_an_interpolation_without_end_is_a_problem_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="the configuration cannot be read"):
        load({"horizon": "${sFZX ${sFZX"}, RolloutConfig)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("horizon=shuffle(range(1,10000000000))", "more than 1,000 values"),
        ("horizon=range(1,2,1e-9)", "more than 1,000 values"),
        ("horizon=range(1,5,0)", "a range with steps of 0 has no end"),
        ("horizon=glob(*)", r"glob\(\) chooses among the files of a group"),
    ],
)
def test_sweeps_that_cannot_be_written_out_are_problems(line: str, problem: str) -> None:
    (found,) = read_overrides([line], {}).problems
    assert re.search(problem, found)


def test_a_range_without_end_is_refused_before_anything_is_composed() -> None:
    found = read_overrides(["horizon=range(1,1000000000000)"], {})
    assert (
        found.problems == ["horizon=range(1,1000000000000): more than 1,000 values; a sweep runs one for each"]
        and not found.assignments
    )


def test_text_that_python_only_warns_of_is_no_expression_and_warns_nobody() -> None:
    with pytest.raises(Exception, match="is no expression"):
        calculate("1if")
    assert read_type("1if") == Typed({}, False)


def test_a_task_that_could_not_be_written_again_is_refused(tmp_path: Path) -> None:
    task = json.loads(seeds.TASKS[0])
    path = write(
        tmp_path / "t.jsonl", changed(task, "turns", 0, "gold", "actions", 0, "calls", 0, "arguments", to={"a": 2**70})
    )
    with pytest.raises(DataError, match="'films-1' cannot be written again: Integer exceeds 64-bit range"):
        read_tasks(path)


def test_an_episode_s_task_may_hold_any_integer() -> None:
    task = TASK.__class__(TASK.id, TASK.suite, TASK.domain, TASK.turns, data={"n": 2**70})
    assert len(task_hash(task)) == 16


@pytest.mark.parametrize("counted", ["1e308", "-5", "9007199254740992", '"many"', "null"])
def test_a_server_s_impossible_count_of_tokens_is_no_count(counted: str) -> None:
    body = f'{{"choices": [{{"message": {{"content": "x"}}}}], "usage": {{"prompt_tokens": {counted}}}}}'
    assert read_chat(body.encode(), REQUEST).usage == Usage(0, 0, 0)


@pytest.mark.parametrize(
    ("expression", "value"),
    [("-1180591620717411303424", -1.18059162072e21), ("floor(1e300)", 1e300), ("9223372036854775807", 2**63 - 1)],
)
def test_whole_numbers_beyond_64_bits_become_fractions(expression: str, value: float) -> None:
    assert calculate(expression) == {"result": value}


@pytest.mark.parametrize("sample", ['"x"', "[]", "null", "1.5"])
def test_a_label_of_no_sample_is_no_label(tmp_path: Path, sample: str) -> None:
    line = f'{{"task": "a", "solved": true, "sample": {sample}}}'
    with pytest.raises(DataError, match=r"labels\.jsonl, line 1: not a label"):
        read_labels(write(tmp_path / "labels.jsonl", line))


def test_a_report_holds_an_episode_with_any_seed(tmp_path: Path) -> None:
    played = Trajectory(TASK, History((), Observation("q")), EndReason.FINAL, seed=2**70)
    assert write_page(tmp_path / "report.html", Page("t", "s", (), ("run",)), [[played]]) == 1


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join(['*' + before] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LAUGHS, "grows to more than 2,000,000 values"),
        (DEEP, "nested more than 100 levels deep"),
        ("a: &a [*a]", "the alias 'a' stands within what it names"),
        ("a: 1\nb: 2\na: 3", "the key 'a' stands there twice"),
        ("a: !!python/object/apply:os.system [x]", "could not determine a constructor"),
        ("n: " + "1" * 5000, "Exceeds the limit"),
        ("? [1, 2]\n: 3", "unhashable key"),
        (b"\xff\xfea", "UTF-16"),
    ],
)
def test_bombs_of_yaml_end_in_one_line(text: str | bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        read_yaml(text)
    assert "\n" not in str(caught.value)


def test_ordinary_yaml_with_anchors_and_merges_is_read() -> None:
    assert read_yaml("base: &b {x: 1}\nmore: {<<: *b, y: 2}") == {"base": {"x": 1}, "more": {"x": 1, "y": 2}}
    assert read_yaml("a: 1".encode("utf-16")) == {"a": 1} and read_yaml("\ufeffa: 1") == {"a": 1}


@pytest.mark.parametrize(
    "content",
    [
        DEEP,
        "\ufeff{}",
        "{}".encode("utf-16"),
        '{"id": NaN}',
        '{"id": "\\ud800"}',
        '{"id": ' + "1" * 5000 + "}",
        "\x00",
        "{",
    ],
)
def test_bombs_of_json_end_in_one_line(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(DataError) as caught:
        read_tasks(write(tmp_path / "tasks.jsonl", content))
    assert str(caught.value).startswith(f"{tmp_path / 'tasks.jsonl'}, line 1: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("a\x00b", "holds a NUL"),
        ("\ud800", "half a character"),
        ("a" * 5000, "too long for a path"),
        ("x/" * 2500, "too long"),
    ],
)
def test_paths_that_no_system_takes_are_problems_of_the_configuration(value: str, problem: str) -> None:
    model = {"kind": "hf", "path": value}
    with pytest.raises(ConfigError, match=rf"model\.path: .*{problem}"):
        load({"model": model}, RolloutConfig)


@pytest.mark.parametrize("domain", ["../../x", "/tmp/x", "a/b", "a\x00b", "a" * 61, ""])
def test_results_for_bfcl_are_written_in_their_folder_alone(tmp_path: Path, domain: str) -> None:
    task = dataclasses.replace(TASK, id="simple_0", domain=domain)
    played = Trajectory(task, History((), Observation("q")), EndReason.FINAL, evidence={"result": "x"})
    with pytest.raises(DataError, match=r"is no category of BFCL's"):
        write_results(tmp_path / "results", [played])
    assert list(tmp_path.iterdir()) == []


def test_a_table_with_a_column_whose_name_is_no_utf_8_is_left_out(tmp_path: Path) -> None:
    path, said = tmp_path / "odd.sqlite", list[str]()
    with closing(sqlite3.connect(path)) as made:
        made.executescript("CREATE TABLE a (title TEXT); CREATE TABLE b (n INTEGER); INSERT INTO b VALUES (1);")
        made.execute("INSERT INTO a VALUES ('Heat')")
        made.commit()
    path.write_bytes(path.read_bytes().replace(b"title TEXT", b"ti\xf9le TEXT"))
    copy_database(path, tmp_path / "copy.sqlite")
    assert [table.name for table in read_tables(tmp_path / "copy.sqlite", path, said.append)] == ["b"]
    assert said[0].startswith("table 'a' is left out: 'utf-8' codec can't decode byte 0xf9")
