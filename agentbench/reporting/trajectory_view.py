"""One episode step by step, for the terminal. What models, tools and users said is shown as text and never obeyed."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from agentbench.reporting.divergence import action_in_words
from agentbench.reporting.plain import harmless, plain
from agentbench.tasks.answers import answer_text
from agentbench.types import Actor, Branch, CallTools, Decision, Final, Generation, Malformed, Step, Trajectory

LONGEST = 2000
"""Most characters of one text that are shown."""


def trajectory_view(trajectory: Trajectory) -> Group:
    """Question, steps with what the others would have done, branches, end, scores, tokens and time."""
    return Group(*_head(trajectory), *_steps(trajectory.history.steps), *_tail(trajectory))


def _head(trajectory: Trajectory) -> Iterator[RenderableType]:
    task = trajectory.task
    sample = f", sample {trajectory.sample}" if trajectory.sample else ""
    yield Rule(harmless(f"{task.id}{sample}"), align="left")
    yield harmless(", ".join(f"{key}: {value}" for key, value in {"domain": task.domain, **task.data}.items()), "dim")
    for rule in task.rules:
        yield harmless(f"rule: {rule.text}", "yellow")
    for exchange in task.earlier:
        yield harmless(f"earlier: {exchange.query} → {exchange.answer}", "dim")
    for turn in task.turns:
        yield Text.assemble(("user: ", "bold"), harmless(turn.query, longest=LONGEST))
        yield Text.assemble(
            ("gold: ", "bold"), harmless(turn.gold.says or answer_text(turn.gold.answer), "green", LONGEST)
        )


def _steps(steps: tuple[Step, ...], first: int = 1) -> Iterator[RenderableType]:
    for number, step in enumerate(steps, first):
        yield Text()
        decision = step.decision
        yield Text.assemble(
            (f"{number} ", "bold"), _actor(decision), f"  {step.category.value}, reward {step.reward:g}"
        )
        yield from (Padding(line, (0, 0, 0, 2)) for line in _said(decision))
        if step.observation.text:
            outcome = "red" if step.observation.outcome.failed else ""
            yield Padding(harmless(f"→ {step.observation.text}", outcome, LONGEST), (0, 0, 0, 2))
        yield Padding(Text(_cost(step), style="dim"), (0, 0, 0, 2))
        for branch in step.branches:
            yield Padding(Group(*_branch(branch, number)), (0, 0, 0, 6))


def _actor(decision: Decision) -> Text:
    reason = f" ({plain(decision.reason)})" if decision.reason else ""
    return Text(f"{decision.actor.value}{reason}", style="cyan" if decision.actor is Actor.AGENT else "magenta")


def _said(decision: Decision) -> Iterator[RenderableType]:
    action = decision.action
    if decision.note:
        yield harmless(decision.note, "dim", LONGEST)
    if not isinstance(action, Malformed) and action.thought:
        yield harmless(f"thought: {action.thought}", "italic", LONGEST)
    match action:
        case CallTools():
            yield harmless(f"calls {action_in_words(action, LONGEST)}")
        case Final(answer=answer):
            yield harmless(f"answers {answer}", "bold", LONGEST)
        case Malformed(text=text, reason=reason):
            yield harmless(f"unreadable ({reason}): {text}", "red", LONGEST)
    for other in decision.alternatives:
        yield harmless(f"{other.actor.value} would have: {action_in_words(other.action)}", "dim")


def _cost(step: Step) -> str:
    said = step.decision.generations
    tokens = ", ".join(_tokens(each) for each in said)
    return "; ".join(filter(None, (tokens, f"environment {1000 * step.seconds:.1f} ms")))


def _tokens(said: Generation) -> str:
    used = said.usage
    return f"{plain(said.role)} {used.prompt_tokens:,} + {used.completion_tokens:,} tokens in {said.seconds:.2f} s"


def _branch(branch: Branch, number: int) -> Iterator[RenderableType]:
    why = f" ({branch.reason})" if branch.reason else ""
    yield harmless(f"another way from step {number}{why}: ends by {branch.end.value}", "bold dim")
    if branch.error:
        yield harmless(f"error: {branch.error}", "red", LONGEST)
    yield from _steps(branch.steps, number)
    for score in branch.scores:
        yield harmless(f"score {score.name}: {score.value} {score.explanation}", "dim", LONGEST)


def _tail(trajectory: Trajectory) -> Iterator[RenderableType]:
    yield Rule(style="dim")
    solved = Text("solved", style="bold green") if trajectory.success else Text("not solved", style="bold red")
    yield Text.assemble(solved, f", ends by {trajectory.end.value} after {len(trajectory.history.steps)} steps")
    if trajectory.error:
        yield harmless(f"error: {trajectory.error}", "red")
    for score in trajectory.scores:
        value = "unscored" if score.value is None else f"{score.value:g}"
        yield harmless(f"score {score.name}: {value}  {score.explanation}", longest=LONGEST)
    yield Text(f"seed {trajectory.seed}, {trajectory.seconds:.2f} s", style="dim")
