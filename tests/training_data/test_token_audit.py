"""Right pairs pass every check, and each planted defect is found by the check that is there for it."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text
from tokenizers import Tokenizer as Rust
from tokenizers import decoders, models, pre_tokenizers, trainers
from tokenizers.normalizers import Lowercase

from agentbench.config.prefs import Arguments
from agentbench.errors import GateFailed
from agentbench.templates import Family, Piece, Span
from agentbench.templates.student_mistral import StudentMistral
from agentbench.templates.student_qwen3 import StudentQwen3
from agentbench.templates.tiny import CONTROL_TOKENS, END, Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import Tokenizer, load_tokenizer
from agentbench.training_data.token_arguments import row_arguments
from agentbench.training_data.token_audit import About, audit, hostile_text
from agentbench.training_data.token_checks import (
    drift,
    mask_coverage,
    prefix_stability,
    retokenised_drift,
    sampled_cases,
    untrusted_control_tokens,
    unwritable,
)
from agentbench.training_data.token_figures import Check, Figure, Pair, TokenAudit, differing, joined
from agentbench.training_data.token_histories import Case, defused, hostile_cases, plain_cases, step
from agentbench.training_data.token_stock import Refused, StockTemplate, conversation
from agentbench.training_data.token_stock_checks import other_first_prompts, stock_prefixes
from agentbench.training_data.token_view import audit_table, coloured_dialogue
from agentbench.types import Action, Actor, CallTools, Final, History, Observation, Step, ToolCall

REAL = Path(__file__).parents[3] / "shared" / "data" / "tokenizers"
SIMPLE = plain_cases()[0]
"""A call with a thought, its result, and an answer without a thought: two actions."""


def real(name: str) -> str:
    if not (REAL / name).is_dir():
        pytest.skip(f"the real tokenizer {name} is not at hand")
    return str(REAL / name)


def audited(name: str, family: Family, template: str) -> TokenAudit:
    place = real(name)
    return audit(joined(family, load_tokenizer(place), "Be brief."), About(template, place, thinking=True))


@pytest.fixture(scope="module")
def qwen() -> TokenAudit:
    """The audit of Qwen3's layout with its tokenizer."""
    return audited("qwen3", StudentQwen3(), "student_qwen3")


@pytest.fixture(scope="module")
def mistral() -> TokenAudit:
    """The audit of Mistral's layout with its tokenizer."""
    return audited("mistral_7b_instruct_v0_3", StudentMistral(), "student_mistral")


def counts(found: TokenAudit) -> dict[str, tuple[int, int]]:
    return {check.name: (check.stock.count, check.stock.of) for check in found.checks if check.stock}


def test_real_pairs_are_right_and_their_first_prompts_are_the_official_ones(
    qwen: TokenAudit, mistral: TokenAudit
) -> None:
    for found in (qwen, mistral):
        assert [check.ours.count for check in found.checks] == [0] * 5 and found.failed == ()
        assert all(check.ours.of > 0 for check in found.checks)
        assert found.first_prompts is not None and (found.first_prompts.count, found.first_prompts.of) == (0, 6)
        found.gate("audit.json")


def test_without_thoughts_of_its_own_qwen_is_right_too(qwen: TokenAudit) -> None:
    pair = joined(StudentQwen3(thinking=False), load_tokenizer(real("qwen3")), "Be brief.")
    stock = StockTemplate(real("qwen3"), thinking=False)
    assert prefix_stability(pair, plain_cases()).count == mask_coverage(pair, plain_cases()).count == 0
    assert other_first_prompts(pair, plain_cases(), stock).count == 0
    # Every header has an empty thought, and of the assistant messages only the last of each dialogue keeps it: 14 more.
    found = stock_prefixes(pair, plain_cases(), stock).figure
    assert found is not None and found.count == counts(qwen)["prefix_stability"][0] + 14


def test_stock_qwen_rewrites_its_prompts_masks_nothing_and_obeys_its_readers(qwen: TokenAudit) -> None:
    # Beginnings: 4 + 5 + 6 + 8 + 10 + 8 of the six dialogues. Rewritten are those that end with an assistant's
    # message (1 + 1 + 2 + 3 + 4 + 3: an empty thought stands before the last one) or between two results of one step.
    assert counts(qwen)["prefix_stability"] == (14 + 1, 41)
    assert counts(qwen)["mask_coverage"][0] == 0  # no generation markers
    assert counts(qwen)["missing_arguments"] == (10, 10)  # four tools with arguments, and no call has all of them
    assert counts(qwen)["untrusted_text"] == (10, 10)


def test_stock_mistral_rewrites_its_prompts_too(mistral: TokenAudit) -> None:
    assert counts(mistral)["prefix_stability"][0] > 0 and counts(mistral)["mask_coverage"][0] == 0
    assert mistral.checks[0].stock is not None and "[INST]" in mistral.checks[0].stock.example


def test_tokenising_again_changes_nearly_every_sampled_action(qwen: TokenAudit) -> None:
    changed, of = counts(qwen)["drift"]
    # 20 actions of the plain episodes and 20 of the hostile ones, each sampled in two ways
    assert of == 2 * (20 + 20) and changed > 0.9 * of


def test_tiny_is_right_and_has_nothing_to_be_compared_with(words: Tokenizer, tmp_path: Path) -> None:
    found = audit(joined(Tiny(), words), About("tiny", str(tmp_path), True))
    assert found.failed == () and found.first_prompts is None
    assert {check.name for check in found.checks if check.stock is None} == {
        *("prefix_stability", "mask_coverage", "untrusted_text"),
    }
    assert "transformers cannot load this tokenizer" in found.checks[0].refusal


class Counting(Tiny):
    """Numbers its observations over its whole life, so no prompt is ever written the same way twice."""

    seen = 0

    def observation(self, step: Step) -> tuple[Piece, ...]:
        self.seen += 1
        return (Piece(f" {self.seen}", False), *super().observation(step))


def test_a_family_that_rewrites_observations_is_found(words: Tokenizer) -> None:
    found = prefix_stability(joined(Counting(), words), [SIMPLE])
    # Before the first step there is no observation; between the first and the second there is one.
    assert (found.count, found.of) == (1, 2) and found.example.startswith("calls and an answer: at token ")


class Trailing(Tiny):
    """Ends an action with a line break after the stop token."""

    def action(self, action: Action) -> tuple[Piece, ...]:
        return (*super().action(action), Piece("\n", False))


class Endless(Tiny):
    """Leaves the stop token out."""

    def action(self, action: Action) -> tuple[Piece, ...]:
        return tuple(piece for piece in super().action(action) if piece.text != END)


@pytest.mark.parametrize(
    ("family", "example"), [(Trailing(), "carries loss and cannot"), (Endless(), "carries no loss")]
)
def test_loss_after_the_stop_token_and_a_missing_stop_token_are_found(
    words: Tokenizer, family: Family, example: str
) -> None:
    found = mask_coverage(joined(family, words), [SIMPLE])
    assert found.count == 2 and example in found.example  # one token in each of two actions


class Mislabelled(TokenTemplate):
    """Takes the first observation for a part of the first action."""

    def spans(self, history: History) -> tuple[Span, ...]:
        opening, action, observation, *rest = super().spans(history)
        return (opening, action, observation._replace(step=0), *rest)


def test_loss_on_an_observation_is_found(words: Tokenizer) -> None:
    pair = Pair(Tiny(), words, Mislabelled(Tiny(), words))
    observation = Tiny().observation(SIMPLE.history.steps[0])
    assert mask_coverage(pair, [SIMPLE]).count == sum(len(words.encode(*piece)) for piece in observation)


class Forgetful(Tiny):
    """Reads actions back without their thoughts."""

    def parse(self, completion: str) -> Action:
        action = super().parse(completion)
        return dataclasses.replace(action, thought="") if isinstance(action, CallTools | Final) else action


def test_a_family_that_cannot_read_itself_loses_the_sampled_tokens(words: Tokenizer) -> None:
    right, wrong = joined(Tiny(), words), joined(Forgetful(), words)
    sampled = list(sampled_cases(right, [SIMPLE], random.Random(0)))
    assert drift(right, sampled).count == 0 and drift(right, sampled).of == 4  # two actions, sampled in two ways
    assert drift(wrong, sampled).count == 2  # the one with a thought, twice


def test_what_was_sampled_is_no_token_sequence_of_the_tokenizers_own(words: Tokenizer) -> None:
    pair = joined(Tiny(), words)
    call = CallTools((ToolCall("get_film_director", {"title": "Robbery"}),))  # words that are single tokens
    film = Case("film", History((), Observation("?"), (step(call, "Jack Lee"), step(Final("Jack Lee"), ""))))
    letters, parts = sampled_cases(pair, [film], random.Random(0))
    assert letters.history != parts.history
    assert all(retokenised_drift(pair, [case]).count == 2 for case in (letters, parts))


def test_an_expert_s_and_another_tokenizer_s_tokens_are_not_expected_to_be_kept(words: Tokenizer) -> None:
    pair = joined(Tiny(), words)
    sampled, _ = sampled_cases(pair, [SIMPLE], random.Random(0))
    first, second = sampled.history.steps
    expert = dataclasses.replace(first, decision=dataclasses.replace(first.decision, actor=Actor.EXPERT))
    generation = dataclasses.replace(second.decision.generations[0], completion_ids=(words.size + 7,))
    other = dataclasses.replace(second, decision=dataclasses.replace(second.decision, generations=(generation,)))
    history = dataclasses.replace(sampled.history, steps=(expert, other))
    assert drift(pair, [Case("both", history)]).of == 0


class Trusting(Tiny):
    """Lets special tokens be recognised in observations that hold some."""

    def observation(self, step: Step) -> tuple[Piece, ...]:
        return tuple(Piece(piece.text, "<|" in piece.text) for piece in super().observation(step))


def test_special_tokens_recognised_in_observations_are_found(words: Tokenizer) -> None:
    hostile = hostile_cases(hostile_text(joined(Tiny(), words)))
    assert untrusted_control_tokens(joined(Tiny(), words), hostile).count == 0
    found = untrusted_control_tokens(joined(Trusting(), words), hostile)
    assert (found.count, found.of) == (2, 10)  # a tool's result, and the user's next question after an answer
    assert found.example.startswith("a tool's result: +")


def test_arguments_stored_as_objects_are_filled_with_none() -> None:
    cases = plain_cases()
    assert (row_arguments(cases, "").count, row_arguments(cases, "").of) == (0, 20)  # ten calls, read in two ways
    found = row_arguments(cases, "", Arguments.OBJECT)
    assert found.count == 10 and "number=None" in found.example  # a Dataset fills them, JSON lines do not


def test_a_tokenizer_that_writes_other_letters_is_found(lower: Tokenizer) -> None:
    found = unwritable(joined(Tiny(), lower), [SIMPLE])
    assert (found.count, found.of) == (1, 2)  # the answer is digits
    said, read = found.example.split(" becomes ")
    assert "The timetable" in said and "the timetable" in read


@pytest.fixture
def lower() -> Tokenizer:
    """A tokenizer that knows small letters only."""
    return Tokenizer(description(Lowercase()).encode())


def description(normalizer: Lowercase | None = None) -> str:
    """A `tokenizer.json` of single bytes and the tiny student's control tokens."""
    rust = Rust(models.BPE())
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=list(CONTROL_TOKENS), initial_alphabet=alphabet, show_progress=False)
    rust.train_from_iterator([], trainer)
    if normalizer is not None:
        rust.normalizer = normalizer
    return rust.to_str()


def test_every_failed_check_is_named_and_the_stock_way_never_fails() -> None:
    none, some = Figure(0, 3, "faults"), Figure(1, 3, "faults")
    checks = tuple(Check(name, ours, some, "", "") for name, ours in (("a", some), ("b", none), ("c", some)))
    found = TokenAudit("tiny", "here", "0", True, 1, 0, tokens=2, under_loss=1, first_prompts=some, checks=checks)
    with pytest.raises(GateFailed, match=r"training on tiny \(thinking=true\) .* would be wrong: a, c failed$"):
        found.gate("audit.json")
    dataclasses.replace(found, checks=checks[1:2]).gate("audit.json")


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{% if %}", "Expected an expression"),
        ("{{ 1 / 0 }}", "division by zero"),
    ],
)
def test_a_chat_template_that_raises_is_one_line(
    words: Tokenizer, tmp_path: Path, template: str, complaint: str
) -> None:
    (tmp_path / "tokenizer.json").write_text(description())
    (tmp_path / "chat_template.jinja").write_text(template)
    found = stock_prefixes(joined(Tiny(), words), [SIMPLE], StockTemplate(str(tmp_path), thinking=True))
    assert found.figure is not None and found.figure.of == 0
    assert found.refusal.startswith(f"calls and an answer: its chat template refuses an episode: {complaint}")
    assert "\n" not in found.refusal


def test_a_tokenizer_without_a_chat_template_is_said_to_have_none(words: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(description())
    with pytest.raises(Refused, match="has no chat template"):
        StockTemplate(str(tmp_path), thinking=True)


def test_a_conversation_ends_with_the_last_thing_said() -> None:
    talk = conversation(SIMPLE.history, "Be brief.", Arguments.OBJECT)
    assert [message["role"] for message in talk.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert talk.opening == 2 and talk.messages[2]["tool_calls"][0]["function"]["arguments"]["day"] == "2031-02-28"


def test_defused_texts_hold_no_marker_and_all_else_is_as_it_was() -> None:
    for case in hostile_cases("<|end|> [INST]"):
        harmless = defused(case.history, ["<|end|>", "[INST]", "<|"])
        assert repr(harmless) == repr(case.history).replace("<|end|>", "marker").replace("[INST]", "marker")


def test_the_first_difference_is_told_with_what_stands_before_it(words: Tokenizer) -> None:
    one, other = (words.encode(text, control=False) for text in ("abcdefghij", "abcXefghij"))
    assert differing(words, one, other) == "at token 3, after 'abc': 'defghij' becomes 'Xefghij'"
    assert differing(words, one, one[:9]) == "at token 9, after 'defghi': 'j' becomes ''"


def printed(what: object) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def test_the_table_says_right_or_not_and_what_stock_would_do(qwen: TokenAudit) -> None:
    text = printed(audit_table(qwen))
    assert text.count("yes") == 5 and "15 of 41 beginnings rewritten" in text
    broken = dataclasses.replace(qwen.checks[0], ours=Figure(1, 2, "prompts rewritten", "an\x1b[31m example"))
    text = printed(audit_table(dataclasses.replace(qwen, checks=(broken,))))
    assert "NO" in text and "\x1b" not in text and "ours: an\\x1b[31m example" in text


def test_colours_tell_what_carries_loss_and_which_tokens_are_control_tokens(words: Tokenizer) -> None:
    table = coloured_dialogue(joined(Tiny(), words), SIMPLE.history)
    assert list(table.columns[0].cells) == ["", "step 1", "", "step 2"]
    _, _, _, answer = table.columns[2].cells
    assert isinstance(answer, Text) and answer.plain == "<|final|> 23:59<|end|>"
    styles = {answer.plain[part.start : part.end]: str(part.style) for part in answer.spans}
    assert styles["<|final|>"] == styles["<|end|>"] == "bold magenta"
    assert {"green" in style for text, style in styles.items() if "|" not in text} == {True}


def test_torn_letters_and_terminal_commands_are_shown_whole_and_harmless(words: Tokenizer) -> None:
    history = History((), Observation("海 \x1b[2J 🚢"))
    (cell,) = coloured_dialogue(joined(Tiny(), words), history).columns[2].cells
    assert isinstance(cell, Text) and "海 \\x1b[2J 🚢" in cell.plain and "\ufffd" not in cell.plain
