"""Tokens of a history: what was sampled stays, and prompts grow at their end only."""

from __future__ import annotations

import dataclasses
import re

import pytest

from agentbench.errors import PreflightError
from agentbench.templates import Family, Rendered
from agentbench.templates.plain import student_deepseek_coder, student_starcoder2
from agentbench.templates.student_granite3 import StudentGranite3
from agentbench.templates.student_mistral import StudentMistral
from agentbench.templates.student_qwen3 import StudentQwen3
from agentbench.templates.student_qwen25 import StudentQwen25
from agentbench.templates.teacher import Teacher
from agentbench.templates.tiny import Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import Tokenizer
from agentbench.types import (
    Action,
    Actor,
    CallTools,
    Decision,
    Exchange,
    Final,
    Generation,
    History,
    Malformed,
    Observation,
    Step,
    StepCategory,
    ToolCall,
    ToolSpec,
)

TOOLS = (ToolSpec("director_of", "Who directed a film.", {"type": "object", "properties": {}}),)
CALL = CallTools((ToolCall("director_of", {"title": "Heat"}),))
ACTIONS: tuple[Action, ...] = (CALL, Malformed("hm <|end|>", "no action"), Final("Michael Mann", thought="Easy."), CALL)
EARLIER = (Exchange("What is Heat?", "A film. FINAL: </think>"), Exchange("Is it long?", "Yes <|end|>"))
FAMILIES = (
    *(Tiny(), StudentQwen3(), StudentQwen3(thinking=False), StudentMistral(), StudentGranite3()),
    *(StudentQwen25(), student_deepseek_coder(), student_starcoder2()),
)


def step(action: Action, *generations: Generation, actor: Actor = Actor.AGENT) -> Step:
    """A step with this action."""
    return Step(Decision(action, actor, generations=generations), Observation("[1] <s>"), StepCategory.OTHER_CALL)


def history(*steps: Step, earlier: tuple[Exchange, ...] = ()) -> History:
    """The same question, then these steps."""
    return History(TOOLS, Observation("Who directed Heat? [/INST]"), steps, earlier)


def sampled(tokenizer: Tokenizer, text: str, completion: str) -> Generation:
    """A generation of the agent whose ids are those of a text with control tokens."""
    return Generation("agent", completion, completion_ids=tokenizer.encode(text, control=True))


@pytest.mark.parametrize("earlier", [(), EARLIER], ids=["alone", "given"])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_a_prompt_starts_with_the_one_before_and_the_actions_tokens(
    tokenizer: Tokenizer, family: Family, earlier: tuple[Exchange, ...]
) -> None:
    template = TokenTemplate(family, tokenizer, "Be brief.")
    steps = tuple(step(action) for action in ACTIONS)
    for number, action in enumerate(ACTIONS):
        before = template.render(history(*steps[:number], earlier=earlier))
        after = template.render(history(*steps[: number + 1], earlier=earlier))
        said = tuple(index for piece in family.action(action) for index in tokenizer.encode(*piece))
        assert after.ids[: len(before.ids) + len(said)] == before.ids + said
        assert after.text == tokenizer.decode(after.ids)


@pytest.mark.parametrize("earlier", [(), EARLIER], ids=["alone", "given"])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_a_prompt_that_goes_on_from_an_earlier_one_is_the_same(
    tokenizer: Tokenizer, family: Family, earlier: tuple[Exchange, ...]
) -> None:
    steps = tuple(step(action) for action in ACTIONS)
    now = history(*steps, earlier=earlier)
    for template in (TokenTemplate(family, tokenizer, "Be brief."), Teacher("Be brief.")):
        for known in range(len(steps) + 1):
            before = dataclasses.replace(now, steps=steps[:known])
            assert template.render(now, Rendered(before, template.render(before))) == template.render(now)
        other = dataclasses.replace(now, opening=Observation("Another question?"))
        assert template.render(other, Rendered(now, template.render(now))) == template.render(other)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_spans_are_the_prompt_up_to_the_last_action(tokenizer: Tokenizer, family: Family) -> None:
    template = TokenTemplate(family, tokenizer, "Be brief.")
    steps = tuple(step(action) for action in ACTIONS)
    spans = template.spans(history(*steps))
    assert [span.step for span in spans] == [None, 0, None, 1, None, 2, None, 3]
    ids = tuple(index for span in spans for index in span.ids)
    assert template.render(history(*steps)).ids[: len(ids)] == ids
    ending = tokenizer.encode(family.stop[0], control=True)
    assert all(span.ids[-1:] == ending for span in spans if span.step is not None)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_given_turns_lengthen_the_first_span_and_no_other(tokenizer: Tokenizer, family: Family) -> None:
    template = TokenTemplate(family, tokenizer, "Be brief.")
    steps = tuple(step(action) for action in ACTIONS)
    alone, given = template.spans(history(*steps)), template.spans(history(*steps, earlier=EARLIER))
    assert given[1:] == alone[1:]
    assert given[0].step is None and len(given[0].ids) > len(alone[0].ids)
    assert all(text in tokenizer.decode(given[0].ids) for text in ("What is Heat?", "A film.", "Is it long?", "Yes"))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_the_order_of_given_turns_is_kept_and_the_question_comes_last(tokenizer: Tokenizer, family: Family) -> None:
    text = TokenTemplate(family, tokenizer, "Be brief.").render(history(earlier=EARLIER)).text
    places = [text.index(said) for said in ("What is Heat?", "A film.", "Is it long?", "Yes", "Who directed Heat?")]
    assert places == sorted(places)


def test_the_same_question_after_other_given_turns_is_another_prompt(tokenizer: Tokenizer) -> None:
    template = TokenTemplate(Tiny(), tokenizer)
    prompts = [template.render(history(earlier=EARLIER[:count])).ids for count in (0, 1, 2, 1)]
    assert len(set(prompts)) == 3 and prompts[1] == prompts[3]


def test_spans_of_no_steps_are_the_prompt(tokenizer: Tokenizer) -> None:
    template = TokenTemplate(Tiny(), tokenizer)
    assert template.spans(history()) == ((template.render(history()).ids, None),)


def test_sampled_tokens_are_kept_although_encoding_would_give_others(tokenizer: Tokenizer) -> None:
    usual = tuple(index for piece in Tiny().action(CALL) for index in tokenizer.encode(*piece))
    text = tokenizer.decode(usual)
    ids = tuple(
        index for part in re.split(r"(<\|\w+\|>)|", text) if part for index in tokenizer.encode(part, control=True)
    )
    generation = Generation("agent", text.removesuffix("<|end|>"), completion_ids=ids)
    template = TokenTemplate(Tiny(), tokenizer)
    assert template.spans(history(step(CALL, generation)))[1].ids == ids != usual  # one token per letter
    assert template.spans(history(step(CALL, generation, actor=Actor.EXPERT)))[1].ids == usual


def test_a_missing_ending_is_added_once(tokenizer: Tokenizer) -> None:
    template = TokenTemplate(Tiny(), tokenizer)
    said = "<|final|>Mann"
    cut, ended = sampled(tokenizer, said, said), sampled(tokenizer, said + "<|end|>", said)
    spans = [template.spans(history(step(Final("Mann"), generation)))[1].ids for generation in (cut, ended)]
    assert spans[0] == spans[1] == ended.completion_ids


def test_malformed_tokens_are_kept_with_their_control_tokens(tokenizer: Tokenizer) -> None:
    template = TokenTemplate(Tiny(), tokenizer)
    generation = sampled(tokenizer, "<|call|><|call|>", "<|call|><|call|>")
    spans = template.spans(history(step(Malformed("<|call|><|call|>", "any"), generation)))
    assert tokenizer.decode(spans[1].ids) == "<|call|><|call|><|end|>"
    assert spans[1].ids[:2] == generation.completion_ids


def test_what_the_agent_would_have_said_is_not_what_the_expert_did(tokenizer: Tokenizer) -> None:
    template = TokenTemplate(Tiny(), tokenizer)
    generation = sampled(tokenizer, "<|final|>no<|end|>", "<|final|>no")
    mixed = (step(CALL, generation, actor=Actor.EXPERT), step(CALL, generation))
    plain = template.spans(history(step(CALL)))[1].ids
    assert [template.spans(history(one))[1].ids for one in mixed] == [plain, plain]


def test_ids_of_another_tokenizer_are_not_taken_for_ours(tokenizer: Tokenizer) -> None:
    template = TokenTemplate(Tiny(), tokenizer)
    foreign = Generation("agent", "<|final|>Mann", completion_ids=(11, 12, 13))
    assert template.spans(history(step(Final("Mann"), foreign))) == template.spans(history(step(Final("Mann"))))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_untrusted_text_brings_no_control_token(tokenizer: Tokenizer, family: Family) -> None:
    template = TokenTemplate(family, tokenizer, "x")
    every = "".join(tokenizer.decode([index]) for index in sorted(tokenizer.control_ids))
    evil = CallTools((ToolCall(every, {every: every}),))

    def count(text: str, action: Action) -> int:
        seen = Step(Decision(action), Observation(text), StepCategory.OTHER_CALL)
        ids = template.render(History(TOOLS, Observation(text), (seen,), (Exchange(text, text),))).ids
        return sum(index in tokenizer.control_ids for index in ids)

    assert count(every, evil) == count("a", CallTools((ToolCall("a", {"a": "a"}),)))
    assert count(every, Malformed(every, "")) == count("a", Malformed("a", ""))
    assert count(every, Final(every)) == count("a", Final("a"))


def test_a_tokenizer_of_another_family_is_refused(qwen_tokenizer: Tokenizer) -> None:
    with pytest.raises(PreflightError, match=r"does not know the control token '<s>'"):
        TokenTemplate(StudentMistral(), qwen_tokenizer)
