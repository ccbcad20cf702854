"""Models in this process: small random ones, in float64."""

from __future__ import annotations

import asyncio
import random
import re
import threading
from typing import Any

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM, PreTrainedModel, Qwen3ForCausalLM

from agentbench.errors import LlmError
from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.hf import HfLlm
from agentbench.llm.hf_batch import Batch
from agentbench.llm.hf_rows import Job, Row
from agentbench.types import Generation
from tests.llm.small_model import CONTEXT, STOP_IDS, letters, one_by_one, prompts, recorded, together, use

SAMPLINGS = (Sampling(0, 1, 20), Sampling(1.0, 1, 20), Sampling(0.8, 0.6, 20))


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_answers_do_not_depend_on_company(model: PreTrainedModel, sampling: Sampling) -> None:
    alone = recorded(one_by_one(model, prompts(sampling)))
    assert recorded(together(model, prompts(sampling))) == alone
    assert recorded(together(model, prompts(sampling), max_batch=7)) == alone
    assert len({it[1] for it in alone}) > 30 and {it[3] for it in alone} == {"stop", "length"}


def test_greedy_tokens_and_logprobs_are_those_of_a_plain_forward_pass(model: PreTrainedModel) -> None:
    request = prompts(Sampling(0, 1, 12))[0]
    generation = together(model, [request])[0]
    ids = torch.tensor([request.prompt.ids + generation.completion_ids])
    with torch.no_grad():
        logprobs = model(ids).logits[0, len(request.prompt.ids) - 1 : -1].log_softmax(-1)
    assert logprobs.argmax(-1).tolist() == list(generation.completion_ids)
    assert logprobs.max(-1).values.tolist() == pytest.approx(generation.logprobs, abs=1e-6)


def test_samples_follow_the_models_probabilities(model: PreTrainedModel) -> None:
    prompt = Prompt(ids=(1, 2, 5))
    with torch.no_grad():
        expected = (model(torch.tensor([prompt.ids])).logits[0, -1] / 2).softmax(-1)
    requests = [Request(prompt, Sampling(2.0, 1, 1), seed) for seed in range(2000)]
    counts = torch.zeros(60, dtype=torch.float64)
    for generation in together(model, requests, max_batch=2000):
        counts[generation.completion_ids[0]] += 1
    chi_square = ((counts - 2000 * expected) ** 2 / (2000 * expected)).sum()
    assert chi_square < 98.3  # 99.9 % quantile for 59 degrees of freedom


def test_top_p_draws_from_the_likeliest_tokens_only(model: PreTrainedModel) -> None:
    prompt = Prompt(ids=(1, 2, 5))
    with torch.no_grad():
        ranked, order = model(torch.tensor([prompt.ids])).logits[0, -1].softmax(-1).sort(descending=True)
    kept = next(count for count in range(1, 61) if ranked[:count].sum() >= 0.5)
    requests = [Request(prompt, Sampling(1.0, 0.5, 1), seed) for seed in range(300)]
    drawn = {generation.completion_ids[0] for generation in together(model, requests)}
    assert drawn == set(order[:kept].tolist()) and kept > 1


def test_a_stop_token_is_recorded_but_not_said(model: PreTrainedModel) -> None:
    stopped = [it for it in together(model, prompts(Sampling(1.0, 1, 20))) if it.finish_reason == "stop"]
    assert stopped and all(it.completion_ids[-1] in STOP_IDS for it in stopped)
    assert all(it.completion == letters(it.completion_ids[:-1]) for it in stopped)
    assert all(len(it.logprobs) == len(it.completion_ids) == it.usage.completion_tokens for it in stopped)


def test_a_stop_text_of_several_tokens_ends_a_completion_before_it(model: PreTrainedModel) -> None:
    request = next(it for it in prompts(Sampling(0, 1, 20)) if together(model, [it])[0].finish_reason == "length")
    whole = together(model, [request])[0].completion
    ended = together(model, [Request(request.prompt, request.sampling, 0, stop=("none", whole[5:8]))])[0]
    place = whole.index(whole[5:8])
    assert (ended.completion, ended.finish_reason) == (whole[:place], "stop")
    assert letters(ended.completion_ids) == whole[:place] and len(ended.logprobs) == place


def test_a_completion_ends_with_the_context(model: PreTrainedModel) -> None:
    requests = [Request(Prompt(ids=(5,) * (CONTEXT - 4)), Sampling(1.0, 1, 20), seed) for seed in range(20)]
    lengths = {len(it.completion_ids) for it in together(model, requests) if it.finish_reason == "length"}
    assert lengths == {4}


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        (Prompt(ids=(5,) * CONTEXT), "the prompt has 96 tokens and the model's context 96"),
        (Prompt(text="words"), "needs token ids"),
        (Prompt(ids=(5, 60)), "token 60 is beyond the model's vocabulary of 60"),
    ],
)
def test_a_prompt_that_cannot_be_answered_is_refused_alone(
    model: PreTrainedModel, prompt: Prompt, problem: str
) -> None:
    async def ask(llm: HfLlm) -> tuple[Any, Any]:
        bad, good = (llm.generate(Request(it, Sampling(0, 1, 3), 0)) for it in (prompt, Prompt(ids=(1, 2))))
        return await asyncio.gather(bad, good, return_exceptions=True)

    refused, answered = use(model, ask)
    assert isinstance(refused, LlmError) and problem in str(refused)
    assert isinstance(answered, Generation)


def test_a_schema_cannot_be_promised_in_this_process(model: PreTrainedModel) -> None:
    guided = Request(Prompt(ids=(1, 2)), Sampling(0, 1, 3), 0, schema={"type": "object"})
    with pytest.raises(LlmError, match="cannot be held to a JSON Schema"):
        use(model, lambda llm: llm.generate(guided))


class Fragile(Qwen3ForCausalLM):
    """Fails when it sees the token 50."""

    def forward(self, input_ids: Any, **rest: Any) -> Any:  # type: ignore[override]
        """The model's own, or a crash."""
        if (input_ids == 50).any():
            raise RuntimeError("out of\nmemory")
        return super().forward(input_ids=input_ids, **rest)


def test_a_crash_reaches_all_who_wait_for_it_and_no_one_after(model: PreTrainedModel) -> None:
    fragile = Fragile(model.config).double().eval()

    async def ask(llm: HfLlm) -> list[Any]:
        bad = (llm.generate(Request(Prompt(ids=ids), Sampling(0, 1, 1), 0)) for ids in ((1, 50), (1, 2)))
        failures = await asyncio.gather(*bad, return_exceptions=True)
        return [*failures, await llm.generate(Request(Prompt(ids=(1, 2)), Sampling(0, 1, 1), 0))]

    first, second, later = use(fragile, ask)
    assert isinstance(later, Generation)
    assert str(first) == str(second) == "the model failed: RuntimeError: out of memory"
    assert isinstance(first, LlmError) and isinstance(second, LlmError)


class Counts(Qwen3ForCausalLM):
    """Counts the slots of every forward pass: rows times tokens."""

    slots: list[int]

    def forward(self, input_ids: Any, **rest: Any) -> Any:  # type: ignore[override]
        """The model's own."""
        self.slots.append(input_ids.numel())
        return super().forward(input_ids=input_ids, **rest)


def counting(model: PreTrainedModel) -> Counts:
    """The same model, which counts."""
    counts = Counts(model.config).double().eval()
    counts.load_state_dict(model.state_dict())
    counts.slots = []
    return counts


def test_the_next_prompt_of_an_episode_computes_its_new_tokens_only(model: PreTrainedModel) -> None:
    counts = counting(model)
    first = Request(Prompt(ids=(5, 6) * 12), Sampling(0, 1, 1), 0)
    said = together(model, [first])[0].completion_ids
    second = Request(Prompt(ids=(*first.prompt.ids, *said, 8, 9)), Sampling(0, 1, 1), 0)
    one_by_one(counts, [first, second])
    assert counts.slots == [24, 3]  # the token that was said last has been drawn, but not computed


def episodes(model: PreTrainedModel, prefix_bytes: int) -> list[Any]:
    """What 12 episodes of four steps record when they are played at once, each prompt going on with the one before."""

    async def play(llm: HfLlm, seed: int) -> list[Generation]:
        ids, said = tuple(random.Random(seed % 5).choices(range(60), k=18)), []
        for step in range(4):
            said.append(await llm.generate(Request(Prompt(ids=ids), Sampling(seed % 2, 1, 6), seed + step)))
            ids = (*said[-1].prompt_ids, *said[-1].completion_ids, 8 + step, seed)
        return said

    async def ask(llm: HfLlm) -> list[list[Generation]]:
        return await asyncio.gather(*(play(llm, seed) for seed in range(12)))

    return [recorded(episode) for episode in use(model, ask, prefix_bytes=prefix_bytes)]


def test_known_beginnings_of_prompts_change_no_recorded_digit(model: PreTrainedModel) -> None:
    assert episodes(model, 2**20) == episodes(model, 0)
    assert episodes(model, 30_000) == episodes(model, 0)  # room for three or four sequences: most are pushed out


def test_a_row_joins_a_batch_under_way_and_leaves_before_it(model: PreTrainedModel) -> None:
    long, short = (Row(Job((5, 5, 5), Sampling(0, 1), 0, limit), frozenset(), letters) for limit in (6, 2))
    batch = Batch(model, 0)
    batch.admit([long])
    batch.step()
    batch.admit([short])
    batch.step()
    assert long.drawn is None and short.drawn is not None and len(short.drawn.ids) == 2


def test_a_model_with_a_sliding_window_is_answered_without_known_beginnings() -> None:
    torch.manual_seed(0)
    shape: dict[str, Any] = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads: dict[str, Any] = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT}
    window = MistralForCausalLM(MistralConfig(**shape, **heads, sliding_window=8)).double().eval()
    requests = prompts(Sampling(1.0, 1, 20), 12)
    assert recorded(together(window, requests)) == recorded(one_by_one(window, requests))
    assert episodes(window, 2**20) == episodes(window, 0)


def test_a_closed_model_says_how_fast_it_was(model: PreTrainedModel) -> None:
    said: list[str] = []

    async def main() -> None:
        llm = HfLlm(model, letters, STOP_IDS, max_batch=4, prefix_bytes=0, report=said.append)
        await llm.generate(Request(Prompt(ids=(1, 2)), Sampling(0, 1, 3), 0))
        await llm.close()

    asyncio.run(main())
    assert len(said) == 1 and re.fullmatch(r"in process: \d+ tokens/s; for large runs use serve=vllm", said[0])


class Waits(Qwen3ForCausalLM):
    """Says when it is asked, and answers when it is allowed to."""

    asked, allowed = threading.Event(), threading.Event()

    def forward(self, **given: Any) -> Any:  # type: ignore[override]
        """The model's own, later."""
        self.asked.set()
        self.allowed.wait(10)
        return super().forward(**given)


@pytest.mark.parametrize("under_way", [True, False])
def test_a_request_nobody_waits_for_any_more_harms_no_other(model: PreTrainedModel, under_way: bool) -> None:
    waits = Waits(model.config).double().eval()

    async def ask(llm: HfLlm) -> Generation:
        request = Request(Prompt(ids=(1, 2)), Sampling(0, 1, 3), 0)
        given_up, kept = (asyncio.create_task(llm.generate(request)) for _ in range(2))
        await (asyncio.to_thread(waits.asked.wait, 10) if under_way else asyncio.sleep(0))
        given_up.cancel()
        waits.allowed.set()
        return await kept

    assert 1 <= len(use(waits, ask).completion_ids) <= 3


def test_all_may_give_up(model: PreTrainedModel) -> None:
    async def ask(llm: HfLlm) -> Generation:
        request = Request(Prompt(ids=(1, 2)), Sampling(0, 1, 3), 0)
        given_up = asyncio.create_task(llm.generate(request))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0.01)
        return await llm.generate(request)

    assert 1 <= len(use(model, ask).completion_ids) <= 3


def test_closing_ends_the_thread_and_further_questions(model: PreTrainedModel) -> None:
    async def ask(llm: HfLlm) -> LlmError:
        await llm.generate(Request(Prompt(ids=(1, 2)), Sampling(0, 1, 3), 0))
        assert any(thread.name.startswith("hf_") for thread in threading.enumerate())
        await llm.close()
        with pytest.raises(LlmError) as caught:
            await llm.generate(Request(Prompt(ids=(1, 2)), Sampling(0, 1, 3), 0))
        return caught.value

    assert "closed" in str(use(model, ask))
    assert not any(thread.name.startswith("hf_") for thread in threading.enumerate())
