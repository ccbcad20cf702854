from __future__ import annotations

import pytest

from agentbench.app.groups import Group
from agentbench.app.overrides import read_overrides

GROUPS = {
    "model": Group("model", "tiny", ("hf", "openai", "tiny")),
    "experiment": Group("experiment", "none", ("alternates", "none"), elsewhere=("tuned",)),
}


def texts(*lines: str) -> list[str]:
    return [assignment.text for assignment in read_overrides(lines, GROUPS).assignments]


def problems(*lines: str) -> list[str]:
    return read_overrides(lines, GROUPS, foreign={"stage"}).problems


def test_a_key_is_forced_in_and_a_choice_is_left_as_it_is() -> None:
    assert texts("seed=1", "model=hf", "env.worlds=[a,b]") == ["++seed=1", "model=hf", "++env.worlds=[a,b]"]


def test_hydra_s_own_signs_are_respected() -> None:
    lines = ("+a=1", "++b=2", "~c", "hydra.verbose=true", "hydra/launcher=basic")
    assert texts(*lines) == list(lines)


def test_an_experiment_may_be_chosen_with_a_plus_sign() -> None:
    assert texts("+experiment=alternates") == ["experiment=alternates"]


@pytest.mark.parametrize("line", ["experiment=null", "experiment=nul", "experiment=null,alternates"])
def test_no_experiment_is_called_none(line: str) -> None:
    (problem,) = problems(line)
    assert problem.startswith("experiment: 'nul") and "is none of alternates, none" in problem


def test_every_value_of_a_sweep_is_seen() -> None:
    reading = read_overrides(["seed=range(1,4)", "model=glob(*,exclude=hf)", "a=choice(x,y)"], GROUPS)
    assert [assignment.values for assignment in reading.assignments] == [
        ("++seed=1", "++seed=2", "++seed=3"),
        ("model=openai", "model=tiny"),
        ("++a=x", "++a=y"),
    ]


def test_a_mistyped_option_is_told_and_read_as_what_was_meant() -> None:
    reading = read_overrides(["model=tiny,opnai"], GROUPS)
    assert reading.problems == ["model: 'opnai' is none of hf, openai, tiny, did you mean 'openai'?"]
    assert reading.assignments[0].values == ("model=tiny", "model=openai")


def test_an_option_for_other_entry_points_is_no_mistyped_one() -> None:
    reading = read_overrides(["experiment=tuned"], GROUPS)
    assert reading.problems == ["experiment: 'tuned' is for other entry points; here there are alternates, none"]
    assert (reading.assignments, reading.unknown_choices) == ([], ("experiment",))


def test_an_option_like_no_other_is_told_and_left_out() -> None:
    reading = read_overrides(["model=zzz", "model=null", "model=glob(q*)"], GROUPS)
    assert (reading.assignments, reading.unknown_choices) == ([], ("model", "model", "model"))
    assert reading.problems[1:] == [
        "model: 'null' is none of hf, openai, tiny",
        "model=glob(q*): matches none of hf, openai, tiny",
    ]


def test_what_cannot_be_read_is_told_line_by_line() -> None:
    assert problems("seed", "a=[1", "a=…", "seed=interval(0,1)", "stage=sft") == [
        "seed: not an override; write key=value",
        "a=[1: cannot be read: no viable alternative at input '[1'",
        "a=…: the … stands for something of yours; write that",
        "seed=interval(0,1): an interval has no values to run one by one; list them: seed=a,b,c",
        "stage: not a choice here; there are model, experiment",
    ]


def test_a_secret_is_not_repeated_even_where_it_cannot_be_read() -> None:
    found = problems("model.api_key=hunter2", "password=hunter2[", "a=sk-0123456789", "b='http://u:hunter2@host'")
    assert [line.split(":")[0] for line in found] == ["model.api_key", "password", "a", "b"]
    assert not any("hunter2" in line or "0123" in line for line in found)
