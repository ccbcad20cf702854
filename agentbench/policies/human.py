"""A person as overseer and expert: shown every step before it is taken, free to take it instead.

The person sees what the agent sees, and, when asking for it, the gold. What agent and tools wrote is shown as text; a
`Terminal` makes it harmless.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from agentbench.policies.llm_expert import step_action, step_problem
from agentbench.policies.situation import told_action, told_gold, told_question, told_steps
from agentbench.policies.triggers import FINE, Verdict
from agentbench.types import Actor, Decision, History, Task, ToolSpec

HUMAN = "human"
"""The reason that stands on the person's steps."""
CHOICES = "Enter: let it · t: take this step · g: show the gold · q: stop the run"
FORMS = "a tool and its arguments (get_year {…}) · final and the answer · ?: the tools · ?tool: one tool"


class Terminal(Protocol):
    """Where the person sits."""

    def show(self, title: str, text: str) -> None:
        """Writes a titled paragraph; whatever the text holds does nothing to the terminal."""
        ...

    async def ask(self, question: str) -> str:
        """The line that the person answers, without its newline; `q` alone ends the run."""
        ...


class Person:
    """One person for one episode, as a trigger and as the policy of the steps that are taken."""

    def __init__(self, task: Task, terminal: Terminal) -> None:
        self._task = task
        self._terminal = terminal
        self._shown = 0

    async def __call__(self, history: History, proposed: Decision) -> Verdict:
        """`human` where the person takes the step, with what they said about it."""
        self._show_state(history)
        self._terminal.show("the agent is about to", _json(told_action(proposed.action, history)))
        while True:
            match (await self._terminal.ask(CHOICES)).strip().lower():
                case "":
                    return FINE
                case "t":
                    return Verdict(HUMAN)
                case "g":
                    self._terminal.show("gold", _json(told_gold(self._task, history)))
                case other:
                    self._terminal.show("not understood", repr(other))

    async def act(self, history: History) -> Decision:
        """The person's step: a call that the tools' schemas allow, or an answer; asked again until it is one."""
        specs = {spec.name: spec for spec in history.tools}
        while True:
            line = (await self._terminal.ask(FORMS)).strip()
            if line.startswith("?"):
                self._show_tools(line[1:].strip(), specs)
                continue
            step, problem = read_step(line, specs)
            if not problem:
                thought = (await self._terminal.ask("why (becomes the step's thought; Enter: nothing)")).strip()
                return Decision(step_action({"thought": thought, "action": step}), Actor.EXPERT)
            self._terminal.show("not a step", problem)

    def _show_state(self, history: History) -> None:
        if not self._shown and not history.steps:
            self._terminal.show(f"task {self._task.id}", history.opening.text)
        for step in told_steps(history)[self._shown :]:
            self._terminal.show(f"step {step['step']}", _json(step))
        self._shown = len(history.steps)
        if history.turn:
            self._terminal.show("open question", told_question(self._task, history))

    def _show_tools(self, name: str, specs: dict[str, ToolSpec]) -> None:
        if name in specs:
            self._terminal.show(name, f"{specs[name].description}\n{_json(specs[name].parameters)}")
        else:
            self._terminal.show("tools", "\n".join(f"{spec.name}: {spec.description}" for spec in specs.values()))


def read_step(line: str, specs: dict[str, ToolSpec]) -> tuple[dict[str, Any], str]:
    """A typed line as a step and an empty string, or an empty step and why it is none."""
    name, _, rest = line.partition(" ")
    if name.lower() == "final" and name not in specs:
        step: dict[str, Any] = {"kind": "final", "answer": rest.strip()}
        return step, step_problem({"action": step}, specs)
    try:
        arguments = json.loads(rest) if rest.strip() else {}
    except json.JSONDecodeError as error:
        return {}, f"the arguments are no JSON: {error}"
    if not isinstance(arguments, dict):
        return {}, f'the arguments have to be a JSON object like {{"title": "Heat"}}, not {rest.strip()!r}'
    step = {"kind": "call", "name": name, "arguments": arguments}
    return step, step_problem({"action": step}, specs)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
