"""Which tool calls helped: kept are those whose result makes what follows likelier, as in Toolformer.

T. Schick et al. (2023), arXiv:2302.04761, section 2: with the weighted loss L of the text that follows, a call c with
result r is kept where min(L(nothing), L(c without r)) − L(c with r) ≥ τ. Weights fall from 1 by 0.2 per token and are
normalised to sum to 1 (their appendix A), so five tokens count.

Where the paper looks at running text, this looks at an episode. "Nothing" is the episode without that step. What comes
then are the later actions of the turn, of which one that the result helps is enough: the answer with the paper's
weights, and calls, whose arguments stand far from their beginning, with equal weights for all tokens. Calls are judged
one after the other, those that did not help being gone already. That a call helped does not make an answer right.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from agentbench.templates import Span
from agentbench.types import CallTools, Final, History, Observation, Step, Trajectory

DECAY = 0.2
"""How much less each further token counts."""
COUNTED = 5
"""Tokens with a weight above zero."""


class Likelihood(Protocol):
    """A language model that says how likely it finds tokens."""

    def logprobs(self, prompt: Sequence[int], continuation: Sequence[int]) -> Sequence[float]:
        """The natural-log probability of each token of a continuation."""
        ...


class SpanTemplate(Protocol):
    """A template that owns its tokens."""

    def spans(self, history: History) -> tuple[Span, ...]:
        """The tokens of a whole episode, stretch by stretch; the last one is the last action."""
        ...


class Losses(NamedTuple):
    """Losses of one later action, in nats per token."""

    with_result: float
    without_result: float
    without_call: float

    @property
    def gain(self) -> float:
        """What the result saves, against the better one of no call and a call that says nothing."""
        return min(self.without_result, self.without_call) - self.with_result


def weighted_loss(logprobs: Sequence[float]) -> float:
    """The loss of a text whose first tokens count most."""
    weights = [max(0.0, 1.0 - DECAY * index) for index in range(len(logprobs))]
    return -sum(weight * each for weight, each in zip(weights, logprobs, strict=True)) / sum(weights)


class HelpfulCalls:
    """Takes calls that did not help out of trajectories, and counts them in `dropped`."""

    def __init__(
        self, template: SpanTemplate, control_ids: frozenset[int], likelihood: Likelihood, threshold: float
    ) -> None:
        """`control_ids`: tokens of the layout, which are no part of an answer; `threshold`: τ, in nats per token."""
        self.dropped: Counter[str] = Counter()
        self._template = template
        self._control = control_ids
        self._likelihood = likelihood
        self._threshold = threshold

    def kept(self, trajectory: Trajectory) -> Trajectory | None:
        """The trajectory with the calls that helped; `None` where it had some and none did."""
        steps = list(trajectory.history.steps)
        calls = [step for step in steps if isinstance(step.decision.action, CallTools)]
        for step in calls:
            place = next(index for index, each in enumerate(steps) if each is step)
            later = self.losses(trajectory.history, steps, place)
            if later and max(losses.gain for losses in later) < self._threshold:
                del steps[place]
                self.dropped["calls that did not help"] += 1
        if calls and not any(isinstance(step.decision.action, CallTools) for step in steps):
            self.dropped["trajectories without a call that helped"] += 1
            return None
        return dataclasses.replace(trajectory, history=dataclasses.replace(trajectory.history, steps=tuple(steps)))

    def losses(self, history: History, steps: Sequence[Step], place: int) -> list[Losses]:
        """The losses of each action that follows the call at `place` in its turn; the answer's are the last ones."""
        before, call = steps[:place], steps[place]
        silent = dataclasses.replace(call, observation=Observation(""))
        found: list[Losses] = []
        for end in range(place + 2, len(steps) + 1):
            after = steps[place + 1 : end]
            ways = ([*before, call, *after], [*before, silent, *after], [*before, *after])
            found.append(Losses(*(self._loss(dataclasses.replace(history, steps=tuple(way))) for way in ways)))
            if isinstance(steps[end - 1].decision.action, Final):
                break
        return found

    def _loss(self, history: History) -> float:
        """The loss of the last action; the layout's own tokens around it are no part of it."""
        *before, last = [span.ids for span in self._template.spans(history)]
        prompt, said = [token for ids in before for token in ids], list(last)
        while said and said[0] in self._control:
            prompt.append(said.pop(0))
        while said and said[-1] in self._control:
            said.pop()
        if not said:
            return 0.0
        if isinstance(history.steps[-1].decision.action, Final):
            return weighted_loss(self._likelihood.logprobs(prompt, said[:COUNTED]))
        return -sum(self._likelihood.logprobs(prompt, said)) / len(said)
