"""Talk to an agent with tools in the terminal, and watch each of its steps.

  python -m examples.playground
  python -m examples.playground model=openai model.base_url=http://127.0.0.1:8000/v1 model.name=my-model
  python -m examples.playground model=hf model.path=MODEL --config-dir mine env=shop

Takes what `agentbench.rollout` takes; the environment is env=playground if nothing else is said. The default model is a
tiny student that is trained on the playground's requests the first time, which takes some minutes; it knows nothing
else. What came of each request is appended to outputs/playground/<time>/trajectories.jsonl.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.build.cast import Cast, cast_of, policy_of
from agentbench.build.fields import Field
from agentbench.build.runs import field_of, scorers_of, step_grader
from agentbench.config.entry import RolloutConfig
from agentbench.config.model import TinyModel
from agentbench.envs import Environment
from agentbench.episodes.pool import new_runner
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.episodes.store import TrajectoryWriter
from agentbench.errors import AgentbenchError, ConfigError
from agentbench.reporting.divergence import action_in_words
from agentbench.reporting.plain import harmless
from agentbench.types import (
    Answer,
    AnswerType,
    Decision,
    EndReason,
    Exchange,
    Final,
    Gold,
    History,
    Malformed,
    Step,
    Task,
    Trajectory,
    Turn,
)

HELP = ":tools shows the tools, :new forgets what was said, :quit ends"
LONGEST = 1000
"""Most characters of one text that are shown."""


class Session:
    """One conversation: every request is an episode that knows the requests and answers before it.

    A tiny student knows single requests alone, so with model=tiny nothing is remembered.
    """

    def __init__(self, config: RolloutConfig, field: Field, cast: Cast, console: Console) -> None:
        self._config, self._field, self._cast, self._console = config, field, cast, console
        self._remembers = not isinstance(config.model, TinyModel)
        self._said: tuple[Exchange, ...] = ()
        self._count = 0

    def forget(self) -> None:
        """Begins a new conversation."""
        self._said = ()

    async def tools(self) -> None:
        """Shows what the agent can call."""
        env = self._field.environment(self._task("?"))
        await env.reset(self._task("?"))
        for tool in env.tools:
            arguments = ", ".join(tool.parameters.get("properties", {}))
            self._console.print(Text.assemble((f"{tool.name}({arguments})", "bold"), harmless(f"  {tool.description}")))
        await env.close()

    async def ask(self, request: str) -> Trajectory:
        """Lets the agent work on a request, and shows each of its steps when it is taken."""
        self._count += 1
        task = self._task(request)
        grader, scorers = step_grader(self._config.rewards), scorers_of(self._config, self._cast.judge)
        policy = policy_of(self._config, task, self._count, self._cast)
        parts = EpisodeParts(self._field.environment(task), policy, grader, scorers)
        limits = Limits(self._config.env.horizon, self._config.episode_timeout_s)
        came = await run_episode(task, parts, limits, self._count, watch=self._watch)
        self._close(request, came)
        return came

    def _task(self, request: str) -> Task:
        like = self._field.tasks[0]
        turn = Turn(request, Gold(Answer(AnswerType.TEXT, None)))
        return Task(f"request-{self._count}", "typed", like.domain, (turn,), earlier=self._said)

    async def _watch(self, _env: Environment, history: History, decision: Decision) -> None:
        if history.steps:
            self._show_result(history.steps[-1])
        if not isinstance(decision.action, Malformed | Final):
            self._console.print(Text.assemble((f"{len(history.steps) + 1} ", "dim"), self._call(decision)))

    def _call(self, decision: Decision) -> Text:
        return harmless(action_in_words(decision.action, LONGEST), "cyan")

    def _show_result(self, step: Step) -> None:
        style = "red" if step.observation.outcome.failed else "green"
        self._console.print(harmless(f"  → {step.observation.text}", style, LONGEST))

    def _close(self, request: str, came: Trajectory) -> None:
        last = came.history.steps[-1].decision.action if came.history.steps else None
        match last:
            case Final(answer=answer) if came.end is EndReason.FINAL:
                self._console.print(Text.assemble(("agent: ", "bold"), harmless(answer, "bold", LONGEST)))
                self._said = (*self._said, Exchange(request, answer)) if self._remembers else ()
            case _:
                if came.history.steps and not isinstance(last, Final):
                    self._show_result(came.history.steps[-1])
                self._console.print(Text(f"(no answer: {came.error or came.end.value})", style="red"))
        scores = {score.name: round(score.value, 2) for score in came.scores if score.value is not None}
        self._console.print(Text(json.dumps({"steps": len(came.history.steps), **scores}), style="dim"))


def main(arguments: Sequence[str]) -> int:
    """Talks until the input ends; gives the exit code."""
    if {"-h", "--help"} & set(arguments):
        print(__doc__)
        return 0
    console = Console(highlight=False)
    named = any(each.startswith("env=") for each in arguments)
    try:
        line = read_command_line(arguments if named else ["env=playground", *arguments])
        config: RolloutConfig = check("rollout", RolloutConfig, line).config
        talk(config, console)
    except AgentbenchError as error:
        for problem in error.problems if isinstance(error, ConfigError) else [str(error)]:
            console.print(Text(f"error: {problem}"))
        console.print(Text(f"next: {error.next_step or 'python -m examples.playground --help'}"))
        return error.exit_code
    except KeyboardInterrupt:
        console.print()
    return 0


def talk(config: RolloutConfig, console: Console) -> None:
    """One session at the terminal.

    Raises:
        AgentbenchError: the model, a tool or the folder is not there.
    """
    field = field_of(config, console.print)
    cast = cast_of(config, field, console.print)
    folder = Path("outputs/playground") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder.mkdir(parents=True)
    session = Session(config, field, cast, console)
    with new_runner() as runner, TrajectoryWriter(folder) as writer:
        try:
            runner.run(_all(*cast.preflights(), field.preflight))
            console.print(Text(f"Ask for something. {HELP}.", style="dim"))
            while (request := _read(console)) is not None:
                _answer(request, session, writer, runner)
        finally:
            runner.run(_all(cast.close, field.close))
    console.print(Text(f"trajectories: {folder / 'trajectories.jsonl'}", style="dim"))


async def _all(*work: Callable[[], Awaitable[None]]) -> None:
    for each in work:
        await each()


def _answer(request: str, session: Session, writer: TrajectoryWriter, runner: asyncio.Runner) -> None:
    match request.strip():
        case "":
            return
        case ":new":
            session.forget()
        case ":tools":
            runner.run(session.tools())
        case text:
            writer.append(runner.run(session.ask(text)))


def _read(console: Console) -> str | None:
    """The next line; `None` at the end."""
    try:
        line = console.input(Text("you: ", style="bold"))
    except EOFError:
        return None
    return None if line.strip() in (":quit", ":q") else line


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
