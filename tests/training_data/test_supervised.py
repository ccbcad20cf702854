"""Supervised rows: whole conversations, or one step after the other."""

from __future__ import annotations

import pytest

from agentbench.config.prefs import LossOn, SftPrefs, SftSource, Shape
from agentbench.policies.triggers import Always, Verdict
from agentbench.templates.tiny import Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.training_data.rows import SftRow
from agentbench.training_data.sft import sft_row
from agentbench.training_data.supervised import Supervised
from agentbench.types import Decision, History, Trajectory

from .conftest import ASK, ASTRAY, NONSENSE, RIGHT, SEARCH, WRONG, kept_text

END = "<|end|>"


@pytest.fixture
def rows(transcriber):
    """`rows(trajectory, key=value)`: the rows, and what was left out."""

    def made(trajectory: Trajectory, **settings) -> tuple[list[SftRow], dict[str, int]]:
        maker = Supervised(SftPrefs(**settings), transcriber)
        return list(maker.rows(trajectory)), dict(maker.dropped)

    return made


class Later:
    """The agent has the first step, the expert all others."""

    async def __call__(self, history: History, proposed: Decision) -> Verdict:
        return Verdict("later" if history.steps else "")


def test_a_conversation_has_loss_on_every_assistant_turn(play, rows, words, film_task) -> None:
    trajectory = play(ASK, SEARCH, RIGHT)
    (row,), _ = rows(trajectory)
    assert kept_text(words, row.input_ids, row.completion_mask) == f"{ASK}{END}{SEARCH}{END}{RIGHT}{END}"
    assert (row.task, row.domain, row.kind, row.category) == (film_task.id, "films", "agent", "correct_final")
    assert row.margin == pytest.approx(1.4)  # 0.2 + 0.2 + 1.0
    assert [message["role"] for message in row.prompt] == ["system", "user"]
    assert [message["role"] for message in row.completion] == 2 * ["assistant", "tool"] + ["assistant"]


def test_a_conversation_has_the_tokens_of_the_plain_sft_row(play, rows, words) -> None:
    trajectory = play(ASTRAY, ASK, SEARCH, RIGHT)
    plain = sft_row(trajectory, TokenTemplate(Tiny(), words))
    (row,), _ = rows(trajectory)
    assert (row.input_ids, row.completion_mask) == (plain.input_ids, plain.completion_mask)


def test_stepwise_each_step_is_a_row_whose_prompt_was_served(play, rows) -> None:
    trajectory = play(ASTRAY, ASK, SEARCH, RIGHT)
    made, _ = rows(trajectory, shape=Shape.STEPWISE)
    for row, step in zip(made, trajectory.history.steps, strict=True):
        said = step.decision.generations[0]
        assert row.input_ids == said.prompt_ids + said.completion_ids
        assert row.completion_mask == (0,) * len(said.prompt_ids) + (1,) * len(said.completion_ids)
        assert len(row.completion) == 1
    assert [row.kind for row in made] == ["agent_call", "agent_call", "agent_call", "agent_final"]


def test_only_success_is_imitated(play, rows) -> None:
    assert rows(play(ASK, WRONG)) == ([], {"trajectories without success": 1})


@pytest.mark.parametrize(("source", "gold", "agent"), [("gold", 1, 0), ("agent", 0, 1), ("both", 1, 1)])
def test_the_source_says_whose_trajectories_are_taken(play, rows, source: str, gold: int, agent: int) -> None:
    expert, alone = play(WRONG, trigger=Always()), play(ASK, SEARCH, RIGHT)
    taken = [len(rows(trajectory, source=SftSource(source))[0]) for trajectory in (expert, alone)]
    assert taken == [gold, agent]


def test_bad_steps_are_masked_or_left_out_if_asked(play, rows, words) -> None:
    trajectory = play(NONSENSE, ASK, SEARCH, RIGHT)
    (row,), _ = rows(trajectory, mask_suboptimal_traces=True)
    assert kept_text(words, row.input_ids, row.completion_mask) == f"{ASK}{END}{SEARCH}{END}{RIGHT}{END}"
    made, dropped = rows(trajectory, mask_suboptimal_traces=True, shape=Shape.STEPWISE)
    assert len(made) == 3 and dropped == {"steps that carry no loss": 1}


def test_the_loss_can_be_on_one_actors_steps(play, rows, words) -> None:
    trajectory = play(ASTRAY, WRONG, trigger=Later())
    (row,), _ = rows(trajectory, loss_on=LossOn.EXPERT)
    kept = kept_text(words, row.input_ids, row.completion_mask)
    assert row.kind == "mixed" and ASTRAY not in kept and kept.endswith(f"{RIGHT}{END}")
    assert rows(play(ASK, SEARCH, RIGHT), loss_on=LossOn.EXPERT)[1] == {
        "trajectories without a step that carries loss": 1
    }


def test_with_masked_history_only_the_last_step_carries_loss(play, rows, words) -> None:
    (row,), _ = rows(play(ASK, SEARCH, RIGHT), mask_history=True)
    assert kept_text(words, row.input_ids, row.completion_mask) == f"{RIGHT}{END}"
