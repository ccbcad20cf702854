"""The same checks for a tokenizer's own chat template. Nothing here is a fault of ours: it is what users would get."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agentbench.config.prefs import Arguments
from agentbench.training_data.token_checks import control_tokens, disarmed
from agentbench.training_data.token_figures import Counter, Figure, Pair, differing
from agentbench.training_data.token_histories import Case, beginnings
from agentbench.training_data.token_stock import Conversation, Refused, StockTemplate, conversation


class Compared(NamedTuple):
    """A figure of the stock way, and what it would not do; the figure counts the rest."""

    figure: Figure | None
    refusal: str


def stock_prefixes(pair: Pair, cases: Iterable[Case], stock: StockTemplate) -> Compared:
    """Beginnings of dialogues, up to the assistant's header where it is next, that the whole does not begin with."""
    counter, refusal = Counter("beginnings rewritten"), ""
    for case in cases:
        try:
            counter.add_all(list(_rewritten(pair, case, stock)))
        except Refused as refused:
            refusal = refusal or f"{case.name}: {refused}"
    return Compared(counter.figure(), refusal)


def _rewritten(pair: Pair, case: Case, stock: StockTemplate) -> Iterator[str]:
    talk = _talk(pair, case)
    whole = stock.ids(talk.messages, talk)
    for count in range(1, len(talk.messages)):
        ids = stock.ids(talk.messages[:count], talk, prompting=talk.messages[count]["role"] == "assistant")
        same = whole[: len(ids)] == ids
        yield "" if same else f"{case.name}: {differing(pair.tokenizer, ids, whole)}"


def stock_mask(pair: Pair, cases: Iterable[Case], stock: StockTemplate) -> Compared:
    """The sum of transformers' assistant mask; not a count of faults."""
    covered = of = 0
    refusal = ""
    for case in cases:
        try:
            mask = stock.assistant_mask(_talk(pair, case))
        except Refused as refused:
            refusal = refusal or f"{case.name}: {refused}"
            continue
        covered, of = covered + sum(mask), of + len(mask)
    return Compared(Figure(covered, of, "tokens in the assistant mask"), refusal)


def stock_untrusted(pair: Pair, cases: Iterable[Case], stock: StockTemplate) -> Compared:
    """Episodes whose texts became control tokens."""
    counter, refusal = Counter("texts became control tokens"), ""
    for case, harmless in disarmed(pair, cases):
        talks = (_talk(pair, case), _talk(pair, Case(case.name, harmless)))
        try:
            mine, theirs = (control_tokens(pair, stock.ids(talk.messages, talk)) for talk in talks)
        except Refused as refused:
            refusal = refusal or f"{case.name}: {refused}"
            continue
        counter.add("" if mine == theirs else f"{case.name}: {len(mine) - len(theirs):+d} control tokens")
    return Compared(counter.figure(), refusal)


def other_first_prompts(pair: Pair, cases: Iterable[Case], stock: StockTemplate) -> Figure:
    """First prompts of ours that are not the chat template's, token for token; a refused one counts."""
    counter = Counter("first prompts unlike the chat template's")
    for case in cases:
        talk = _talk(pair, case)
        mine = pair.template.render(next(beginnings(case.history))).ids
        try:
            theirs = stock.ids(talk.messages[: talk.opening], talk, prompting=True)
        except Refused as refused:
            counter.add(f"{case.name}: {refused}")
            continue
        counter.add("" if mine == theirs else f"{case.name}: {differing(pair.tokenizer, theirs, mine)}")
    return counter.figure()


def _talk(pair: Pair, case: Case) -> Conversation:
    return conversation(case.history, pair.system, Arguments.OBJECT)
