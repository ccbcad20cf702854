"""A run of episodes as a tracker shows it: running curves, and a bounded sample of the episodes in full."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from agentbench.episodes.summary import Summary
from agentbench.reporting.trackers import Cell, Counted, Table, Tracker
from agentbench.types import Action, CallTools, Final, Malformed, Trajectory

POINTS = 200
"""About so many points has each curve."""
LONGEST_TEXT = 500
"""Most characters of a question, an answer or an observation; what is cut off is counted."""
LONGEST_TRANSCRIPT = 4000
"""Most characters of an episode's steps."""

_COLUMNS = ("task", "domain", "success", "end", "steps", "expert steps", "question", "answer", "transcript", "error")

Redact = Callable[[str], str]


class _Sums(NamedTuple):
    n: int = 0
    solved: int = 0
    steps: int = 0
    expert_steps: int = 0
    errors: int = 0

    def with_one(self, trajectory: Trajectory) -> _Sums:
        return _Sums(
            self.n + 1,
            self.solved + trajectory.success,
            self.steps + len(trajectory.history.steps),
            self.expert_steps + trajectory.expert_steps,
            self.errors + bool(trajectory.error),
        )


class EpisodeWatch:
    """Called with every episode as it ends; `finish` sends the sample and the final figures.

    Every episode has the same chance to be in the sample (reservoir sampling, Vitter 1985, algorithm R).
    """

    def __init__(self, tracker: Tracker, size: int, total: int, redact: Redact) -> None:
        """`size` episodes of about `total` are shown in full; `redact` blots out what must not be shown."""
        self._tracker, self._size, self._redact = tracker, size, redact
        self._every = max(1, total // POINTS)
        self._sums = _Sums()
        self._sample: list[tuple[Cell, ...]] = []
        self._random = random.Random(0)

    def __call__(self, trajectory: Trajectory) -> None:
        """Counts an episode."""
        self._sums = self._sums.with_one(trajectory)
        self._keep(trajectory)
        if self._sums.n % self._every == 0:
            self._log()

    def finish(self) -> None:
        """Sends what has not been sent."""
        if self._sums.n % self._every:
            self._log()
        if self._sample:
            self._tracker.table("trajectories", Table(_COLUMNS, self._sample))

    def _keep(self, trajectory: Trajectory) -> None:
        if len(self._sample) < self._size:
            self._sample.append(episode_row(trajectory, self._redact))
            return
        place = self._random.randrange(self._sums.n)
        if place < self._size:
            self._sample[place] = episode_row(trajectory, self._redact)

    def _log(self) -> None:
        n, solved, steps, expert_steps, errors = self._sums
        self._tracker.log(
            {
                "running/success": solved / n,
                "running/steps_per_episode": steps / n,
                "running/expert_share": expert_steps / steps if steps else 0.0,
                "running/errors": errors,
            },
            n,
            Counted.EPISODES,
        )


def final_figures(summary: Summary) -> dict[str, float]:
    """What of a summary is a figure."""
    success = summary.success
    figures: dict[str, float | None] = {
        "success": success.rate,
        "success_low": success.low,
        "success_high": success.high,
        "n": summary.n,
        "truncated": summary.truncated,
        "errors": sum(summary.errors.values()),
        "steps": summary.total_time_steps,
        "expert_share": summary.expert_assistance.tracker.expert_share,
        **{f"score_{name}": sums.mean for name, sums in summary.scores.items()},
        **{f"cost_usd_{role}": dollars for role, dollars in summary.cost_usd.items()},
    }
    return {name: float(value) for name, value in figures.items() if value is not None}


def episode_row(trajectory: Trajectory, redact: Redact) -> tuple[Cell, ...]:
    """An episode as one line of the sample's table."""
    steps = trajectory.history.steps
    answers = [step.decision.action.answer for step in steps if isinstance(step.decision.action, Final)]
    transcript = "\n".join(
        f"{step.decision.actor}: {cut(_written(step.decision.action))}\n→ {cut(step.observation.text)}"
        for step in steps
    )
    texts = (
        cut("\n".join(turn.query for turn in trajectory.task.turns)),
        cut("\n".join(answers)),
        cut(transcript, LONGEST_TRANSCRIPT),
        cut(trajectory.error),
    )
    facts = (trajectory.success, trajectory.end.value, len(steps), trajectory.expert_steps)
    return (trajectory.task.id, trajectory.task.domain, *facts, *(redact(text) for text in texts))


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """The beginning of a text, and how much of it is missing."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest:,} more characters)"


def _written(action: Action) -> str:
    match action:
        case CallTools(calls=calls):
            return "; ".join(f"{call.name}({call.arguments})" for call in calls)
        case Final(answer=answer):
            return f"answers {answer}"
        case Malformed(text=text):
            return f"writes {text}"
