"""Would training on a template with a tokenizer be right? Five checks, each beside what the stock way does.

    prefix_stability     each prompt, and the row trained on, begins with the prompt before it
    mask_coverage        the loss covers what the agent can sample: each action with its stop token, and nothing else
    drift                what was sampled stands in the row as it was sampled, and tokens say what the action says
    missing_arguments    opening rows with `datasets` adds no arguments to tool calls
    untrusted_text       text of users, tools and models never becomes a control token

They are played on made-up episodes (`token_histories`) and on given trajectories. What they do not show: that the
model was taught this layout; `first_prompts` says whether it is what the model's own chat template writes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from agentbench.training_data.identity import tokenizer_fingerprint
from agentbench.training_data.token_arguments import (
    Reader,
    from_lines,
    from_list,
    from_list_as_json,
    row_arguments,
    stock_arguments,
)
from agentbench.training_data.token_checks import (
    drift,
    mask_coverage,
    prefix_stability,
    retokenised_drift,
    row,
    sampled_cases,
    untrusted_control_tokens,
    unwritable,
)
from agentbench.training_data.token_figures import Check, Figure, Pair, TokenAudit
from agentbench.training_data.token_histories import Case, hostile_cases, plain_cases
from agentbench.training_data.token_stock import Refused, StockTemplate
from agentbench.training_data.token_stock_checks import (
    Compared,
    other_first_prompts,
    stock_mask,
    stock_prefixes,
    stock_untrusted,
)


class About(NamedTuple):
    """What the audit is about, in words."""

    template: str
    tokenizer: str
    """Folder or hub name, also of the stock chat template."""
    thinking: bool


class _Cases(NamedTuple):
    """Episodes by where they come from."""

    plain: tuple[Case, ...]
    hostile: tuple[Case, ...]
    sampled: tuple[Case, ...]
    given: tuple[Case, ...]

    @property
    def all(self) -> tuple[Case, ...]:
        """Every episode."""
        return (*self.plain, *self.hostile, *self.sampled, *self.given)

    @property
    def usual(self) -> tuple[Case, ...]:
        """Those as they come in training."""
        return (*self.plain, *self.given)


class _Stock(NamedTuple):
    """The chat template to compare with, or why there is none."""

    template: StockTemplate | None
    refusal: str = ""


def audit(pair: Pair, about: About, given: Sequence[Case] = (), seed: int = 0) -> TokenAudit:
    """Plays all checks; loading the stock chat template and `datasets` takes seconds.

    `seed` draws how the made-up samples are split into tokens.
    """
    cases = _cases(pair, given, seed)
    stock = _stock(about)
    rows = [row(pair, case.history) for case in cases.usual]
    checks = (
        _prefix_stability(pair, cases, stock),
        _mask_coverage(pair, cases, stock),
        _drift(pair, cases),
        _missing_arguments(pair, cases),
        _untrusted_text(pair, cases, stock),
    )
    return TokenAudit(
        about.template,
        about.tokenizer,
        tokenizer_fingerprint(pair.tokenizer),
        about.thinking,
        made_up=len(cases.all) - len(given),
        given=len(given),
        tokens=sum(len(made.ids) for made in rows),
        under_loss=sum(made.under_loss for made in rows),
        first_prompts=other_first_prompts(pair, cases.usual, stock.template) if stock.template else None,
        checks=checks,
    )


def hostile_text(pair: Pair) -> str:
    """A whole made-up dialogue in the family's own layout: all its special tokens and role markers."""
    first = plain_cases()[0].history.steps[0]
    pieces = (
        *pair.family.opening("Obey.", (), "Forget the harbour."),
        *pair.family.action(first.decision.action),
        *pair.family.observation(first),
    )
    return "".join(piece.text for piece in pieces).strip()


def _cases(pair: Pair, given: Sequence[Case], seed: int) -> _Cases:
    plain = plain_cases()
    hostile = hostile_cases(hostile_text(pair))
    sampled = tuple(sampled_cases(pair, (*plain, *hostile), random.Random(seed)))
    return _Cases(plain, hostile, sampled, tuple(given))


def _stock(about: About) -> _Stock:
    try:
        return _Stock(StockTemplate(about.tokenizer, about.thinking))
    except Refused as refusal:
        return _Stock(None, str(refusal))


def _prefix_stability(pair: Pair, cases: _Cases, stock: _Stock) -> Check:
    explanation = (
        "A prompt that is rewritten later is served in one form and trained on in another. "
        "Stock: beginnings of a dialogue that the whole dialogue does not begin with."
    )
    found = stock_prefixes(pair, cases.usual, stock.template) if stock.template else Compared(None, stock.refusal)
    return Check("prefix_stability", prefix_stability(pair, cases.all), *found, explanation)


def _mask_coverage(pair: Pair, cases: _Cases, stock: _Stock) -> Check:
    explanation = (
        "The loss must cover each action with its stop token and nothing else. "
        "Stock: the sum of transformers' assistant mask; 0 without generation markers in the chat template."
    )
    found = stock_mask(pair, cases.usual, stock.template) if stock.template else Compared(None, stock.refusal)
    return Check("mask_coverage", mask_coverage(pair, cases.all), *found, explanation)


def _drift(pair: Pair, cases: _Cases) -> Check:
    explanation = (
        "A model can spell a text in other tokens than its tokenizer would; log-probabilities belong to those. "
        "Stock: sampled actions that change when their text is tokenised again."
    )
    sampled = (*cases.sampled, *cases.given)
    kept, written = drift(pair, sampled), unwritable(pair, (*cases.plain, *cases.hostile))
    both = Figure(kept.count + written.count, kept.of + written.of, kept.what, kept.example or written.example)
    return Check("drift", both, retokenised_drift(pair, sampled), "", explanation)


def _missing_arguments(pair: Pair, cases: _Cases) -> Check:
    beside = {"load_dataset('json')": from_lines, "on_mixed_types='use_json'": from_list_as_json}
    others = (f"{name}: {_arguments(pair, cases, reader)}" for name, reader in beside.items())
    explanation = (
        "Arguments that a call lacks and another has are filled with None, and the chat template writes them out. "
        f"Stock: arguments as objects, Dataset.from_list; with {'; with '.join(others)}."
    )
    try:
        found = Compared(stock_arguments(cases.usual, pair.system, from_list), "")
    except Refused as refused:
        found = Compared(None, str(refused))
    return Check("missing_arguments", row_arguments(cases.usual, pair.system), *found, explanation)


def _arguments(pair: Pair, cases: _Cases, reader: Reader) -> str:
    try:
        return stock_arguments(cases.usual, pair.system, reader).text
    except Refused as refused:
        return str(refused)


def _untrusted_text(pair: Pair, cases: _Cases, stock: _Stock) -> Check:
    explanation = (
        "Special tokens in a question, a result, a description or an answer must stay text. "
        "Stock: the chat template's text is tokenised with special tokens recognised everywhere."
    )
    hostile = (*cases.hostile, *cases.given)
    found = stock_untrusted(pair, hostile, stock.template) if stock.template else Compared(None, stock.refusal)
    return Check("untrusted_text", untrusted_control_tokens(pair, hostile), *found, explanation)
