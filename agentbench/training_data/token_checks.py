"""Checks of our own tokens; each gives a figure whose count has to be 0.

The expected values are computed another way than the template computes them: from prompts as served, from the stop
token, from texts that are known to be harmless.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, pairwise
from typing import NamedTuple

from agentbench.training_data.token_figures import Counter, Figure, Pair, differing, parting
from agentbench.training_data.token_histories import Case, beginnings, defused, unsampled
from agentbench.types import Actor, Decision, Generation, History, Step

Split = Callable[[str], list[str]]
"""Cuts a text into parts that are tokenised one by one."""


def prefix_stability(pair: Pair, cases: Iterable[Case]) -> Figure:
    """Prompts that the next prompt, or the row trained on, does not begin with."""
    counter = Counter("prompts rewritten")
    for case in cases:
        prompts = [pair.template.render(beginning).ids for beginning in beginnings(case.history)]
        row = tuple(chain.from_iterable(span.ids for span in pair.template.spans(case.history)))
        for before, after in pairwise(prompts):
            continued = (ids for ids in (after, row) if ids[: len(before)] != before)
            wrong = next(continued, None)
            counter.add("" if wrong is None else f"{case.name}: {differing(pair.tokenizer, before, wrong)}")
    return counter.figure()


class Marked(NamedTuple):
    """A row's tokens with the mask it has, or ought to have."""

    ids: tuple[int, ...]
    mask: tuple[int, ...]

    @property
    def under_loss(self) -> int:
        """Number of tokens that are trained on."""
        return sum(self.mask)


def row(pair: Pair, history: History) -> Marked:
    """An episode as it is trained on."""
    spans = pair.template.spans(history)
    ids = tuple(chain.from_iterable(span.ids for span in spans))
    return Marked(ids, tuple(int(span.step is not None) for span in spans for _ in span.ids))


def mask_coverage(pair: Pair, cases: Iterable[Case]) -> Figure:
    """Tokens whose mask is wrong: 1 where nothing can have been sampled, or 0 where something was.

    An action lies between the prompt it answers and the observation that follows, and ends with its first stop token;
    one without a stop token counts as one uncovered token.
    """
    counter = Counter("tokens wrongly masked")
    for case in cases:
        found, expected = row(pair, case.history).mask, _sampleable(pair, case.history)
        long = max(len(found), len(expected))
        marks = zip(_padded(found, long), _padded(expected, long), strict=True)
        counter.add_all(
            "" if one == other else _misplaced(case, place, one) for place, (one, other) in enumerate(marks)
        )
    return counter.figure()


def _padded(mask: tuple[int, ...], length: int) -> tuple[int, ...]:
    return (*mask, *(0,) * (length - len(mask)))


def _misplaced(case: Case, place: int, mark: int) -> str:
    said = "carries loss and cannot be sampled there" if mark else "belongs to an action and carries no loss"
    return f"{case.name}: token {place} {said}"


def _sampleable(pair: Pair, history: History) -> tuple[int, ...]:
    """The mask that follows from the prompts: 1 on each action's tokens up to its first stop token."""
    stops = {pair.tokenizer.id_of(text) for text in pair.family.stop}
    prompts = [pair.template.render(beginning).ids for beginning in beginnings(history)]
    mask: list[int] = []
    for step, (before, after) in zip(history.steps, pairwise(prompts), strict=True):
        seen = sum(len(pair.tokenizer.encode(*piece)) for piece in pair.family.observation(step))
        action = after[len(before) : len(after) - seen]
        length = next((place for place, token in enumerate(action, 1) if token in stops), len(action) + 1)
        mask += [0] * (len(before) - len(mask)) + [1] * length
    return tuple(mask)


def drift(pair: Pair, cases: Iterable[Case]) -> Figure:
    """Sampled actions that do not stand in the row as they were sampled.

    Actions that were recorded with another tokenizer are left out: they have to be tokenised anew.
    """
    counter = Counter("actions changed")
    for case in cases:
        spans = {span.step: span.ids for span in pair.template.spans(case.history)}
        for place, step in enumerate(case.history.steps):
            sampled = sampled_ids(pair, step)
            kept = spans.get(place, ())[: len(sampled)]
            if sampled:
                counter.add("" if kept == sampled else f"{case.name}: {differing(pair.tokenizer, sampled, kept)}")
    return counter.figure()


def retokenised_drift(pair: Pair, cases: Iterable[Case]) -> Figure:
    """Sampled actions that would change if their text were tokenised again, as stock training does."""
    counter = Counter("sampled actions changed")
    steps = ((case.name, step) for case in cases for step in case.history.steps)
    for name, step in steps:
        if sampled := sampled_ids(pair, step):
            again = pair.tokenizer.encode(pair.tokenizer.decode(sampled), control=True)
            counter.add("" if again == sampled else f"{name}: {differing(pair.tokenizer, sampled, again)}")
    return counter.figure()


def unwritable(pair: Pair, cases: Iterable[Case]) -> Figure:
    """Actions whose tokens no longer say what the action says, apart from Unicode's normal form."""
    counter = Counter("actions not readable from their tokens")
    for case in cases:
        for step in case.history.steps:
            said = _normal("".join(piece.text for piece in pair.family.action(step.decision.action)))
            read = _normal(pair.tokenizer.decode(_split_ids(pair, step, _whole)))
            counter.add("" if read == said else f"{case.name}: {_parting(said, read)}")
    return counter.figure()


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _parting(said: str, read: str) -> str:
    """Two texts from shortly before they part."""
    place = parting(said, read)
    return " becomes ".join(repr(text[max(0, place - 20) : place + 20]) for text in (said, read))


def sampled_ids(pair: Pair, step: Step) -> tuple[int, ...]:
    """What the agent sampled for a step with this tokenizer; empty where it did not, or with another one."""
    if step.decision.actor is not Actor.AGENT:
        return ()
    mine = [item for item in step.decision.generations if item.role == "agent" and item.completion_ids]
    if not mine or max(mine[-1].completion_ids) >= pair.tokenizer.size:
        return ()
    text = pair.tokenizer.decode(mine[-1].completion_ids).strip()
    return mine[-1].completion_ids if text.startswith(mine[-1].completion.strip().rstrip("\ufffd")) else ()


def sampled_cases(pair: Pair, cases: Iterable[Case], rng: random.Random) -> Iterator[Case]:
    """Every case twice, as if a model had sampled its actions: letter by letter, and in parts of random lengths.

    Both are token sequences that a model can sample, and neither is what the tokenizer makes of the text.
    """
    for case in cases:
        yield Case(f"{case.name}, letter by letter", _sampled(pair, case.history, list))
        yield Case(f"{case.name}, in parts", _sampled(pair, case.history, lambda text: _parts(text, rng)))


def _sampled(pair: Pair, history: History, split: Split) -> History:
    return replace(history, steps=tuple(_sampled_step(pair, step, split) for step in history.steps))


def _sampled_step(pair: Pair, step: Step, split: Split) -> Step:
    text = "".join(piece.text for piece in pair.family.action(step.decision.action)[:-1])
    generation = Generation("agent", text, completion_ids=_split_ids(pair, step, split))
    return replace(step, decision=Decision(step.decision.action, generations=(generation,)))


def _split_ids(pair: Pair, step: Step, split: Split) -> tuple[int, ...]:
    """The tokens of an action; its texts, not its control tokens, are cut first."""
    parts = [
        (part, piece.control)
        for piece in pair.family.action(step.decision.action)
        for part in ([piece.text] if piece.control else split(piece.text))
    ]
    return tuple(chain.from_iterable(pair.tokenizer.encode(*part) for part in parts))


def _whole(text: str) -> list[str]:
    return [text]


def _parts(text: str, rng: random.Random) -> list[str]:
    cuts = sorted(rng.sample(range(1, len(text)), k=(len(text) - 1) // 3)) if len(text) > 1 else []
    return [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]


def untrusted_control_tokens(pair: Pair, cases: Iterable[Case]) -> Figure:
    """Episodes whose texts became control tokens: prompts with other ones than the same episode without such texts."""
    counter = Counter("texts became control tokens")
    for case, harmless in disarmed(pair, cases):
        mine, theirs = (control_tokens(pair, pair.template.render(history).ids) for history in (case.history, harmless))
        extra = len(mine) - len(theirs)
        counter.add("" if mine == theirs else f"{case.name}: {extra:+d} control tokens")
    return counter.figure()


class Disarmed(NamedTuple):
    """An episode with texts in special tokens, as an expert would have written it, and the same without."""

    case: Case
    harmless: History


def disarmed(pair: Pair, cases: Iterable[Case]) -> Iterator[Disarmed]:
    """Those episodes whose texts hold a special token of the tokenizer's."""
    markers = {pair.tokenizer.decode((index,)) for index in pair.tokenizer.control_ids}
    for case in cases:
        plain = unsampled(case.history)
        harmless = defused(plain, markers)
        if harmless != plain:
            yield Disarmed(Case(case.name, plain), harmless)


def control_tokens(pair: Pair, ids: tuple[int, ...]) -> tuple[int, ...]:
    """The control tokens among some tokens, in order."""
    return tuple(token for token in ids if token in pair.tokenizer.control_ids)
