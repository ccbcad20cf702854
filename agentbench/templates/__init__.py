"""History ⇄ prompt tokens, and completion text → Action: one module per model family.

A family says how text is laid out; `TokenTemplate` turns the layout into tokens piece by piece, so that prompts
grow by appending: the prompt of step n+1 starts with the prompt of step n and the executed action's tokens.

Turns that are given with their answers are ordinary user and assistant messages between the system text and the
question that opens the episode. They belong to the prompt, so nothing of them is trained on. The rules of an episode
are part of its opening and so stand behind the given turns, directly before the question they are about: the opening
reads the same whether turns were given or not.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from agentbench.llm import Prompt
from agentbench.types import Action, Exchange, Generation, History, Step, ToolSpec


class Piece(NamedTuple):
    """A stretch of prompt text. Only in `control` pieces may special tokens be recognised; text that
    comes from users, tools or models goes into other pieces and can never become a control token."""

    text: str
    control: bool


class Span(NamedTuple):
    """Token ids of one stretch of a rendered trajectory."""

    ids: tuple[int, ...]
    step: int | None
    """Index of the step whose action these tokens are; `None` for prompt and observations."""


class Family(Protocol):
    """Text layout of one model family."""

    stop: tuple[str, ...]

    def opening(
        self, system: str, tools: tuple[ToolSpec, ...], question: str, earlier: tuple[Exchange, ...] = ()
    ) -> tuple[Piece, ...]:
        """Everything up to where the assistant's first turn begins, `earlier` turns and their answers included."""
        ...

    def action(self, action: Action) -> tuple[Piece, ...]:
        """The assistant's turn as the model would have to write it, its ending control text included."""
        ...

    def observation(self, step: Step) -> tuple[Piece, ...]:
        """What follows an executed action, up to where the assistant's next turn begins."""
        ...

    def parse(self, completion: str) -> Action:
        """The action a completion stands for; `Malformed` when it stands for none. Never raises."""
        ...


class Rendered(NamedTuple):
    """A prompt, and the history it was made of."""

    history: History
    prompt: Prompt

    def goes_on_in(self, history: History) -> bool:
        """Whether a history is this one with further steps."""
        return goes_on(self.history, history)


def goes_on(before: History, history: History) -> bool:
    """Whether a history is `before` with further steps."""
    same = before.opening is history.opening and before.tools is history.tools and before.earlier is history.earlier
    return same and history.steps[: len(before.steps)] == before.steps


class Template(Protocol):
    """History to prompt, completion to action. `parse(render_action(a)) == a` for every action a family can say."""

    stop: tuple[str, ...]

    def render(self, history: History, before: Rendered | None = None) -> Prompt:
        """The prompt for the next action.

        An episode's earlier prompt, `before`, saves the work that went into it, and changes nothing else.
        """
        ...

    def parse(self, completion: str) -> Action:
        """The action a completion stands for; `Malformed` when it stands for none. Never raises."""
        ...

    def read(self, said: Generation) -> Action:
        """The action that a model took, as `parse` reads it. Never raises.

        Where its tokens are known, only what was sampled as a control token opens a call: a call that stands in text
        which the model quotes, a tool's result for one, makes the action `Malformed` and is never carried out.
        """
        ...

    def render_action(self, action: Action) -> str:
        """The completion text of an action, without the ending control text."""
        ...
