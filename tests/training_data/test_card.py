"""What the data card counts, and what it warns of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from agentbench.policies.triggers import Always
from agentbench.training_data.card import Card, Counts, Lengths, Source
from agentbench.training_data.card_table import card_table
from agentbench.training_data.rows import RowsIdentity
from agentbench.training_data.served import compare_served

from .conftest import ASK, WRONG
from .test_rows import EXAMPLE, PAIR

SOURCE = Source("a.jsonl", "00ff", 7)


def card(counts: Counts, tokenizer: str = "abc") -> Card:
    identity = RowsIdentity("preference/1", "tiny", tokenizer)
    return counts.card(identity, [SOURCE], {"exact repeats": 2}, settings={"seed": 0}, version="1")


def card_of(kinds: dict[str, int]) -> Card:
    counts = Counts()
    for kind, count in kinds.items():
        for _ in range(count):
            counts.add(replace(PAIR, kind=kind), False)
    return card(counts)


def test_rows_are_counted_by_what_they_are() -> None:
    counts = Counts()
    counts.add(PAIR, False)
    counts.add(replace(PAIR, task="u", domain="birds", kind="final_over_call"), True)
    made = card(counts)
    assert (made.rows, made.validation_rows, made.tasks) == (1, 1, 2)
    assert made.domains == {"birds": 1, "films": 1} and made.rejected_categories == {"wrong_final": 2}
    assert made.kinds == {"call_over_final": 1, "final_over_call": 1} and made.dropped == {"exact repeats": 2}


def test_the_share_of_loss_tokens_is_of_completion_tokens() -> None:
    counts = Counts()
    counts.add(PAIR, False)
    # prompt 2; completions 2 + 1, of which 1 + 1 carry loss
    assert card(counts).tokens == replace(card(counts).tokens, prompt=2, completion=3, loss=2)
    assert card(counts).loss_share == pytest.approx(2 / 3)
    counts.add(replace(EXAMPLE, completion_mask=(0, 1, 0)), False)
    # the example: 1 before the first that carries loss, 2 after, 1 of them with loss
    assert (card(counts).tokens.prompt, card(counts).tokens.completion, card(counts).tokens.loss) == (3, 5, 3)


def test_lengths_have_quantiles_and_bins() -> None:
    counts = Counts()
    for length in range(1, 301):
        counts.add(replace(EXAMPLE, input_ids=(1,) * length, completion_mask=(1,) * length), False)
    expected = Lengths(1, 151, 271, 298, 300, {"<=256": 256, "<=512": 44})
    assert card(counts).lengths == expected


@pytest.mark.parametrize(
    ("kinds", "warning"),
    [
        ({"call_over_final": 3, "call_over_call": 9}, "no pair prefers to stop: 3 call_over_final"),
        ({"final_over_call": 3}, "no pair prefers to go on: 3 final_over_call"),
        ({"call_over_call": 3}, "no pair is about the decision to stop"),
        ({"call_over_final": 11, "final_over_call": 1}, "the decision to stop is one-sided: 1 final_over_call, 11"),
    ],
)
def test_one_sided_step_pairs_are_warned_of(kinds: dict[str, int], warning: str) -> None:
    (line,) = card_of(kinds).warnings
    assert line.startswith(warning)


@pytest.mark.parametrize("kinds", [{"call_over_final": 10, "final_over_call": 1}, {"success_over_failure": 4}, {}])
def test_balanced_pairs_and_whole_trajectories_are_not(kinds: dict[str, int]) -> None:
    assert card_of(kinds).warnings == ()


def test_rows_of_messages_are_warned_of_and_have_no_lengths() -> None:
    made = card(Counts(), tokenizer="")
    assert made.lengths is None and "messages only" in made.warnings[0]


def test_recorded_prompts_and_sampled_ids_are_compared_with_the_rows(play, transcriber) -> None:
    helped, alone = play(WRONG, trigger=Always()), play(ASK, WRONG)
    compared = [compare_served(one.history.steps, transcriber.transcript(one.history)) for one in (helped, alone)]
    assert compared == [{"equal_prompts": 3}, {"equal_prompts": 2, "kept_actions": 2}]


def test_prompts_of_another_system_or_tokenizer_are_noticed(play, transcriber, letters) -> None:
    foreign = play(ASK, WRONG, tokenizer=letters)  # splits the question otherwise, has the same ids for letters
    counts = Counts()
    counts.served.update(compare_served(foreign.history.steps, transcriber.transcript(foreign.history)))
    made = card(counts)
    assert (made.served.other_prompts, made.served.equal_prompts, made.served.kept_actions) == (2, 0, 2)
    assert made.warnings[0].startswith("2 of 2 recorded prompts are other tokens than the rows'")


def test_actions_without_recorded_ids_are_counted_as_encoded(play, transcriber) -> None:
    history = play(ASK, WRONG).history
    bare = [replace(step, decision=replace(step.decision, generations=())) for step in history.steps]
    history = replace(history, steps=tuple(bare))
    assert compare_served(history.steps, transcriber.transcript(history)) == {"encoded_actions": 2}


def test_the_table_says_it_all_in_words() -> None:
    console = Console(width=160)
    with console.capture() as shown:
        console.print(card_table(card_of({"call_over_final": 2})))
    text = shown.get()
    assert "kind call_over_final" in text and "left out: exact repeats 2" in text and "66.7% of 6 completion" in text
    assert "warning: no pair prefers to stop" in text and "tokenizer abc" in text
