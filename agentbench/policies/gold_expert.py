"""The expert that knows the gold chain and follows it from wherever the episode stands."""

from __future__ import annotations

from agentbench.tasks.answers import answer_text
from agentbench.tasks.gold import open_gold, progress
from agentbench.types import Actor, Decision, Final, History, Task


class GoldExpert:
    """Plays the next gold call that the history still lacks, then gives the gold answer.

    It does not undo: what an agent did before stays done, and an answer the agent already gave stays given.
    """

    def __init__(self, task: Task) -> None:
        self._task = task

    async def act(self, history: History) -> Decision:
        """The next gold action.

        Raises:
            DataError: the gold chain refers to something that was not observed.
        """
        ahead = progress(self._task, history).next
        if ahead is not None:
            return Decision(ahead, Actor.EXPERT)
        gold = open_gold(self._task, history)
        return Decision(Final(gold.says or answer_text(gold.answer)), Actor.EXPERT)
