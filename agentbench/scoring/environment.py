"""The environment's own verdict as a score: for suites that check what became of a world, not what was said."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from agentbench.scoring.claims import CLAIMS, ClaimsJudge
from agentbench.types import Score, Trajectory, Verdict

VERDICT = "verdict"
"""Where evidence holds the verdict."""

_READER = TypeAdapter(Verdict)
_CLAIMS = TypeAdapter(list[str])


class EnvironmentScorer:
    """The score named `answer`, 1 where the environment calls the episode solved, and one for each part it names.

    Where the verdict is open but for statements that take a reader, a judge decides, and `claims` is their share.
    """

    def __init__(self, judge: ClaimsJudge | None = None) -> None:
        self._judge = judge

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        """Unscored where the environment said nothing, or could not judge and nobody else could."""
        try:
            verdict = _READER.validate_python(trajectory.evidence.get(VERDICT))
        except ValidationError:
            return (Score("answer", None, "the environment gave no verdict; score it with another scorer"),)
        parts = [Score(name, value) for name, value in sorted(verdict.parts.items())]
        claims = _claims(trajectory)
        if verdict.solved is None and claims and self._judge is not None:
            opinion = await self._judge.opinion(trajectory, claims)
            solved = None if opinion.share is None else float(opinion.share == 1)
            return (
                Score("answer", solved, opinion.reason, opinion.generations),
                Score("claims", opinion.share),
                *parts,
            )
        solved = None if verdict.solved is None else float(verdict.solved)
        return (Score("answer", solved, verdict.explanation), *parts)


def _claims(trajectory: Trajectory) -> list[str]:
    """The statements that an episode's verdict hangs on."""
    try:
        return _CLAIMS.validate_python(trajectory.evidence.get(CLAIMS, []))
    except ValidationError:
        return []
