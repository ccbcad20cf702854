"""What a token audit finds, as records: our figure, the stock way's, and a verdict that only ours decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from agentbench.errors import GateFailed
from agentbench.llm import Prompt
from agentbench.templates import Family, Span
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import Tokenizer
from agentbench.types import History, record


class OwnTokens(Protocol):
    """A template that owns its tokens."""

    def render(self, history: History) -> Prompt:
        """The prompt for the next action, as it is served."""
        ...

    def spans(self, history: History) -> tuple[Span, ...]:
        """The tokens of a whole episode, as they are trained on."""
        ...


class Pair(NamedTuple):
    """What is audited: a layout, a tokenizer, and the template that joins them."""

    family: Family
    tokenizer: Tokenizer
    template: OwnTokens
    system: str = ""


def joined(family: Family, tokenizer: Tokenizer, system: str = "") -> Pair:
    """A layout and a tokenizer as runs join them.

    Raises:
        PreflightError: a control token of the family is ordinary text to this tokenizer.
    """
    return Pair(family, tokenizer, TokenTemplate(family, tokenizer, system), system)


@record
class Figure:
    """A count."""

    count: int
    of: int
    what: str
    """What is counted: `unstable prompts`."""
    example: str = ""
    """The first one found, in words; texts are shown as Python would write them."""

    @property
    def text(self) -> str:
        """The count in words."""
        return f"{self.count} of {self.of} {self.what}"


@record
class Check:
    """One check: what we do, beside what the tokenizer's own chat template or a stock reader does."""

    name: str
    ours: Figure
    stock: Figure | None
    """`None` where there is nothing to compare with."""
    refusal: str
    """Why there is nothing to compare with, or what the stock way would not do; empty where it did everything."""
    explanation: str

    @property
    def ok(self) -> bool:
        """Whether there is no fault of ours. What the stock way does is information."""
        return self.ours.count == 0


@record
class TokenAudit:
    """Whether training on a template with a tokenizer would be right."""

    template: str
    tokenizer: str
    """Folder or hub name."""
    fingerprint: str
    """What rows of this tokenizer carry as `tokenizer`."""
    thinking: bool
    made_up: int
    """Episodes of the audit's own."""
    given: int
    """Ways through the given trajectories, branches included."""
    tokens: int
    """Tokens of all these episodes as rows."""
    under_loss: int
    first_prompts: Figure | None
    """First prompts that are not what the chat template makes of them, token for token: no fault, but a layout that
    the model has not seen. `None` without a chat template."""
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that did not hold."""
        return tuple(check.name for check in self.checks if not check.ok)

    def gate(self, place: str) -> None:
        """Lets a pair pass that can be trained on; `place` is where the audit can be read.

        Raises:
            GateFailed: a check does not hold.
        """
        if self.failed:
            pair = f"{self.template} (thinking={str(self.thinking).lower()}) with the tokenizer {self.tokenizer!r}"
            problem = f"training on {pair} would be wrong: {', '.join(self.failed)} failed"
            raise GateFailed(problem, f"see {place}; choose the template of the tokenizer's model family")


class Counter:
    """Counts faults among cases and keeps the first one's description."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._faults = self._cases = 0
        self._example = ""

    def add(self, example: str) -> None:
        """One case; `example` describes the fault and is empty where there is none."""
        self.add_all([example])

    def add_all(self, examples: Iterable[str]) -> None:
        """Several cases."""
        for example in examples:
            self._cases += 1
            self._faults += bool(example)
            self._example = self._example or example

    def figure(self) -> Figure:
        """What came together."""
        return Figure(self._faults, self._cases, self._what, self._example)


def differing(tokenizer: Tokenizer, expected: tuple[int, ...], found: tuple[int, ...]) -> str:
    """Where two token sequences part, decoded: what stood before, and how each goes on."""
    place = parting(expected, found)
    before = tokenizer.decode(expected[max(0, place - 6) : place])
    wanted, instead = (tokenizer.decode(ids[place : place + 8]) for ids in (expected, found))
    return f"at token {place}, after {before!r}: {wanted!r} becomes {instead!r}"


def parting(one: Sequence[object], other: Sequence[object]) -> int:
    """How many leading items two sequences have in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))
