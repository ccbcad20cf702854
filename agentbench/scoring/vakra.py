"""VAKRA's evaluation of an episode: as published, or with its faults mended."""

from __future__ import annotations

from agentbench.scoring.adherence import adherence
from agentbench.scoring.judge import Judge
from agentbench.scoring.vakra_case import Parts, case_of
from agentbench.scoring.vakra_corrected import corrected
from agentbench.scoring.vakra_published import published
from agentbench.types import Score, Trajectory


class VakraScorer:
    """The scores `answer` (the verdict), `policy`, `exact`, `correctness` and `groundedness`, in this order.

    Parts behind the one that decides have no value, with the cause. Without a judge the verdict has none either where
    computing does not decide it. Tasks that give no right answer have none in either mode.
    """

    def __init__(self, parity: bool, responses: int, judge: Judge | None) -> None:
        """With `parity` the published waterfall over the latest `responses` calls; without it the corrected one."""
        self._parity = parity
        self._responses = responses
        self._judge = judge

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        """The five scores."""
        case = case_of(trajectory)
        if case.blind:
            return Parts(adherence(trajectory)).verdict(None, "the task gives no right answer")
        if self._parity:
            return await published(case, self._judge, self._responses)
        return await corrected(case, self._judge)
