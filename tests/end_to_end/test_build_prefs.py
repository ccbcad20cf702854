"""From a rollout's trajectories to rows, by the commands a user types."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.training_data.identity import tokenizer_fingerprint
from agentbench.training_data.rows import read_preferences, read_supervised, refuse_other_tokenizer

from .conftest import Run, command, environment


def only_run(folder: Path, entry: str) -> Path:
    (found,) = (folder / "outputs" / entry).iterdir()
    return found


@pytest.fixture
def gold(student: Path) -> Path:
    """Gold trajectories of 60 training tasks; the student learnt its tokens from them."""
    return student.parent / "gold" / TRAJECTORIES


@pytest.fixture(scope="module")
def helped(world: Path, student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a weak student and an expert did together on 20 training tasks, with what the other would have done."""
    folder = tmp_path_factory.mktemp("helped")
    tasks = (f"env.worlds=['{world}']", "tasks.limit=20", "tasks.split=train")
    model = (f"model.path='{student}'", "model.max_tokens=24")
    play = command("rollout", "experiment=informed_alternates", *tasks, *model)
    subprocess.run(play, cwd=folder, env=environment(), check=True, capture_output=True, timeout=120)
    return only_run(folder, "rollout") / TRAJECTORIES


def test_step_pairs_are_in_the_tokens_that_were_served_and_sampled(
    run: Run, helped: Path, student: Path, tmp_path: Path
) -> None:
    ended = run("build_prefs", f"trajectories=['{helped}']", f"tokenizer='{student}'")
    assert (ended.code, ended.err) == (0, "")
    folder = only_run(tmp_path, "build_prefs")
    steps = [step for one in read_trajectories(helped) for step in one.history.steps]
    said = {item.prompt_ids: item.completion_ids for step in steps for item in step.decision.generations}
    rows = list(read_preferences(folder / "rows.jsonl"))
    assert rows and all(row.rejected_ids[: len(said[row.prompt_ids])] == said[row.prompt_ids] for row in rows)
    card = orjson.loads((folder / "card.json").read_bytes())
    assert card["rows"] == len(rows) and card["served"]["other_prompts"] == 0 and card["splits"] == {"train": 20}
    assert f"{len(rows)} rows" in ended.out and "kind call_over_" in ended.out


def test_supervised_rows_of_gold_are_split_by_task(run: Run, gold: Path, student: Path, tmp_path: Path) -> None:
    chosen = ("prefs=sft", "prefs.source=gold", "prefs.shape=stepwise", "validation_share=0.2")
    ended = run("build_prefs", f"trajectories=['{gold}']", f"tokenizer='{student}'", *chosen)
    assert (ended.code, ended.err) == (0, "")
    folder = only_run(tmp_path, "build_prefs")
    train, held = (list(read_supervised(folder / name)) for name in ("rows.jsonl", "validation.jsonl"))
    assert train and held and not {row.task for row in train} & {row.task for row in held}
    steps = sum(len(one.history.steps) for one in read_trajectories(gold))
    assert len(train) + len(held) <= steps and {row.kind for row in train} == {"expert_call", "expert_final"}
    refuse_other_tokenizer(folder / "rows.jsonl", tokenizer_fingerprint(load_tokenizer(student)))


def test_the_same_configuration_gives_the_same_bytes(
    run: Run, helped: Path, gold: Path, student: Path, tmp_path: Path
) -> None:
    chosen = ("prefs=trajectory", "prefs.mask_suboptimal_traces=true", "per_task=1", f"tokenizer='{student}'")
    for _ in range(2):
        ended = run("build_prefs", f"trajectories=['{gold}']", f"against=['{helped}']", *chosen)
        assert (ended.code, ended.err) == (0, "")
    rows = [path.read_bytes() for path in sorted((tmp_path / "outputs" / "build_prefs").glob("*/rows.jsonl"))]
    assert len(rows) == 2 and all(one == other for one, other in pairwise(rows))
    assert all(
        "_over_" in row["kind"] or row["kind"] == "higher_return" for row in map(orjson.loads, rows[0].splitlines())
    )


def test_a_limit_per_task_keeps_the_decision_to_stop_as_well(
    run: Run, gold: Path, student: Path, tmp_path: Path
) -> None:
    chosen = ("prefs=sft", "prefs.shape=stepwise", "per_task=1", f"tokenizer='{student}'")
    ended = run("build_prefs", f"trajectories=['{gold}']", *chosen)
    assert (ended.code, ended.err) == (0, "")
    rows = list(read_supervised(only_run(tmp_path, "build_prefs") / "rows.jsonl"))
    several = {one.task.id for one in read_trajectories(gold) if len(one.history.steps) > 1}
    assert len(rows) == len({row.task for row in rows})
    assert {row.kind for row in rows if row.task in several} == {"expert_call", "expert_final"}


def test_without_a_tokenizer_rows_are_messages(run: Run, gold: Path, tmp_path: Path) -> None:
    ended = run("build_prefs", f"trajectories=['{gold}']", "prefs=sft", "template=teacher")
    assert ended.code == 0 and "warning: rows hold messages only" in ended.out
    (row, *_) = read_supervised(only_run(tmp_path, "build_prefs") / "rows.jsonl")
    assert row.completion and not row.input_ids and not row.tokenizer


def test_tasks_of_the_test_split_are_refused_unless_asked_for(
    run: Run, gold: Path, student: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.jsonl"
    moved.write_bytes(gold.read_bytes().replace(b'"split":"train"', b'"split":"test"'))
    arguments = (f"trajectories=['{moved}']", f"tokenizer='{student}'", "prefs=sft")
    refused = run("build_prefs", *arguments)
    assert refused.code == 5 and "is of the test split: trained on, it is lost for evaluation" in refused.err
    assert not (only_run(tmp_path, "build_prefs") / "rows.jsonl").exists() and "Traceback" not in refused.err
    allowed = run("build_prefs", *arguments, "i_will_not_evaluate_on_test_tasks=true")
    assert (allowed.code, allowed.err) == (0, "")


def test_no_row_at_all_is_an_error_that_says_why(run: Run, gold: Path, student: Path, tmp_path: Path) -> None:
    ended = run("build_prefs", f"trajectories=['{gold}']", f"tokenizer='{student}'")
    assert ended.code == 5 and "no row to train on came of it; left out: steps without the other" in ended.err
    assert (only_run(tmp_path, "build_prefs") / "card.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "trajectories: required, e.g."),
        (("trajectories=[a.jsonl]",), "tokenizer: required with template=tiny"),
        (("trajectories=[a.jsonl]", "tokenizer=x", "against=[b.jsonl]"), "against: belongs to prefs=trajectory"),
        (("trajectories=[a.jsonl]", "tokenizer=x", "template=teacher"), "tokenizer: template=teacher writes messages"),
        (("trajectories=[a.jsonl]", "cutoff_len=9", "template=teacher"), "cutoff_len: counts tokens"),
        (("prefs=step", "prefs.mask_history=true"), "prefs.mask_history: belongs to prefs=sft or prefs=trajectory"),
    ],
)
def test_contradictions_are_told_in_one_line_each(run: Run, arguments: tuple[str, ...], problem: str) -> None:
    ended = run("build_prefs", *arguments)
    assert ended.code == 2 and problem in ended.err and "Traceback" not in ended.err


@pytest.mark.parametrize("name", ["nowhere.jsonl", "torn.jsonl"])
def test_a_missing_or_broken_file_is_told_in_one_line(
    run: Run, gold: Path, student: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "torn.jsonl").write_bytes(gold.read_bytes()[:5000])
    ended = run("build_prefs", f"trajectories=[{name}]", f"tokenizer='{student}'")
    assert ended.code == 5 and ended.err.startswith(f"error: {name}") and ended.err.count("\n") <= 3
