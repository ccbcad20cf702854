"""The environment's own verdict as a score: for suites that check what became of a world, not what was said."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from agentbench.types import Score, Trajectory, Verdict

VERDICT = "verdict"
"""Where evidence holds the verdict."""

_READER = TypeAdapter(Verdict)


class EnvironmentScorer:
    """The score named `answer`, 1 where the environment calls the episode solved, and one for each part it names."""

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        """Unscored where the environment said nothing, or could not judge."""
        try:
            verdict = _READER.validate_python(trajectory.evidence.get(VERDICT))
        except ValidationError:
            return (Score("answer", None, "the environment gave no verdict; score it with another scorer"),)
        solved = None if verdict.solved is None else float(verdict.solved)
        parts = (Score(name, value) for name, value in sorted(verdict.parts.items()))
        return (Score("answer", solved, verdict.explanation), *parts)
