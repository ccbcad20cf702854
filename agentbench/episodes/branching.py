"""Trees of trajectories: at chosen states of an episode, other ways are followed to their ends, and theirs in turn.

The executed path is played first and to its end, as it would be without branches: same seeds, same steps. Then its
branches are played, one after the other, from its first state to its last; then, level by level, the branches of
those. A budget is so spent on the executed path's own alternatives first. Many tasks are played at once, each tree in
its own place of the pool, so a tree needs no concurrency of its own, and `concurrency` bounds a run as ever.

On a branch the agent is alone, with a seed that follows from the episode's and the branch's place in the tree: neither
order nor company nor a resumed run changes a tree, and a model asked with the same prompt and seed says the same. Each
branch has the episode's time limit for itself. A branch that fails ends with its error, and the rest of the tree stays;
only where a server was waited for in vain does the episode count as failed, so that resume plays all of it again.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from typing import NamedTuple

from agentbench.config.branching import Branching, Counted, Restore
from agentbench.envs import Environment, Restoring
from agentbench.episodes.branch_points import branch_seed, is_chosen, is_known, others
from agentbench.episodes.failures import kind
from agentbench.episodes.run_episode import (
    EpisodeParts,
    Failure,
    Limits,
    TreeParts,
    Watch,
    attempted,
    from_reset,
    run_episode,
)
from agentbench.errors import ReplayError, ServerDownError
from agentbench.policies import OWN_ROLES, Policy
from agentbench.types import (
    Action,
    Branch,
    Decision,
    EndReason,
    Generation,
    History,
    Malformed,
    Step,
    Task,
    Trajectory,
)

SHOWN_CHARS = 100
"""Most characters of an observation that a complaint about a replay quotes."""


async def run_tree(task: Task, parts: EpisodeParts, limits: Limits, seed: int, *, sample: int = 0) -> Trajectory:
    """An episode as `run_episode` plays it, with its branches where `parts.tree` asks for some.

    An episode that ended with an error gets none: it will be played again.
    """
    if parts.tree is None:
        return await run_episode(task, parts, limits, seed, sample=sample)
    started = time.perf_counter()
    tree = _Tree(task, parts, parts.tree, limits)
    try:
        trunk = await tree.trunk(seed, sample)
        await tree.grow(trunk)
    finally:
        await tree.close()
    return dataclasses.replace(tree.whole(trunk), seconds=time.perf_counter() - started)


async def replayed(env: Environment, task: Task, history: History) -> History:
    """Brings a fresh environment to where a history ends, by the history's own actions; the history.

    Raises:
        ReplayError: tools, opening or an observation were others this time.
    """
    begun = await from_reset(env, task)
    if (begun.opening, begun.tools) != (history.opening, history.tools):
        raise ReplayError("the environment began with another opening or other tools this time")
    for number, step in enumerate(history.steps, 1):
        now, then = (await env.step(step.decision.action)).observation, step.observation
        if now != then:
            said = f"{now.outcome} {now.text[:SHOWN_CHARS]!r}, at first {then.outcome} {then.text[:SHOWN_CHARS]!r}"
            raise ReplayError(f"step {number} was answered {said}")
    return history


class _Point(NamedTuple):
    """A state of a path that is branched from."""

    step: int
    """How many steps led there."""
    decision: Decision
    """The one that was executed, its prompts in full."""
    env: Environment | None
    """The environment as it was; `None` where it is to be played again."""


class _Way:
    """A path that was played, and what leaves it."""

    def __init__(
        self, trajectory: Trajectory, points: Iterable[_Point] = (), first: int = 0, decision: Decision | None = None
    ) -> None:
        """`first`: number of its first own step; `decision`: what it begins with, on a branch."""
        self.trajectory = trajectory
        self.points = () if trajectory.end is EndReason.ERROR else tuple(points)
        self.first = first
        self.decision = decision
        self.children: dict[int, list[_Way]] = {}
        self.duplicates: dict[int, list[Generation]] = {}

    @property
    def own_steps(self) -> tuple[Step, ...]:
        """What it does not share with the path it leaves."""
        return self.trajectory.history.steps[self.first :]

    def before(self, point: _Point) -> History:
        """What had happened at a state."""
        history = self.trajectory.history
        return dataclasses.replace(history, steps=history.steps[: point.step])


class _Begins:
    """Does one thing that is decided already, and goes on as the agent."""

    def __init__(self, decision: Decision, agent: Policy) -> None:
        self._first: Decision | None = decision
        self._agent = agent

    async def act(self, history: History) -> Decision:
        first, self._first = self._first, None
        return first or await self._agent.act(history)


class _Tree:
    """Plays the paths of one episode."""

    def __init__(self, task: Task, parts: EpisodeParts, tree: TreeParts, limits: Limits) -> None:
        self._task = task
        self._parts = parts
        self._tree = tree
        self._limits = limits
        self._forks: list[Environment] = []
        self._tokens = 0
        self._lost = ""
        """What was said of a server that was waited for in vain; nothing is begun any more."""

    async def trunk(self, seed: int, sample: int) -> _Way:
        """The path that is executed."""
        points: list[_Point] = []
        watch = self._watch(points, seed, 0)
        trajectory = await run_episode(self._task, self._parts, self._limits, seed, sample=sample, watch=watch)
        self._count(step.decision.generations for step in trajectory.history.steps)
        return _Way(trajectory, points)

    async def grow(self, trunk: _Way) -> None:
        """Plays all branches, level by level."""
        level = [trunk]
        for levels_after in reversed(range(self._tree.limits.depth)):
            level = [child for way in level for child in await self._branches(way, levels_after)]

    async def close(self) -> None:
        """Lets go of all copies."""
        for env in self._forks:
            await env.close()

    def whole(self, trunk: _Way) -> Trajectory:
        """The trajectory with all that left it."""
        history = dataclasses.replace(trunk.trajectory.history, steps=self._steps(trunk))
        whole = dataclasses.replace(trunk.trajectory, history=history)
        return dataclasses.replace(whole, end=EndReason.ERROR, error=self._lost, scores=()) if self._lost else whole

    def _watch(self, points: list[_Point], seed: int, first: int) -> Watch:
        """What notes the states to branch from, those before `first` steps left out."""
        copies = self._tree.limits.restore is Restore.AUTO

        async def look(env: Environment, history: History, decision: Decision) -> None:
            if len(history.steps) < first:
                return
            if is_chosen(self._tree.kind, self._tree.limits, seed, history, decision):
                fork = await env.fork() if copies and env.restoring is Restoring.FORK else None
                self._forks += [fork] if fork else []
                points.append(_Point(len(history.steps), decision, fork))

        return look

    async def _branches(self, way: _Way, levels_after: int) -> list[_Way]:
        """The branches that leave a way; from them `levels_after` levels more may follow."""
        for point in way.points:
            known = [point.decision.action]
            for number in range(self._tree.limits.width):
                if self._is_over():
                    break
                child = await self._branch(way, point, number, known, levels_after=levels_after)
                if child is not None:
                    way.children.setdefault(point.step, []).append(child)
        return [child for children in way.children.values() for child in children]

    async def _branch(
        self, way: _Way, point: _Point, number: int, known: list[Action], *, levels_after: int
    ) -> _Way | None:
        """One branch, played to its end, its action added to those `known`; `None` where it would do nothing new."""
        before, seed = way.before(point), branch_seed(way.trajectory.seed, point.step, number)
        agent = self._tree.agent(seed, levels_after > 0 and self._tree.kind is Branching.DIVERGENCE)
        decision = await self._decision(before, point, number, agent)
        if isinstance(decision, Failure):
            return _Way(self._failed(before, seed, decision), first=point.step)
        if decision is None:
            return None
        if is_known(decision.action, known, before.tools):
            way.duplicates.setdefault(point.step, []).extend(decision.generations)
            self._count([decision.generations])
            return None
        known.append(decision.action)
        return await self._play(before, point, seed, decision, agent=agent, watched=levels_after > 0)

    async def _decision(self, before: History, point: _Point, number: int, agent: Policy) -> Decision | Failure | None:
        """What is done instead: what the other actor would have done, or what the agent says when it is asked anew."""
        if self._tree.kind is not Branching.DIVERGENCE:
            return await attempted(agent.act(before), self._task, self._limits)
        found = others(point.decision, before.tools)
        return found[number] if number < len(found) else None

    async def _play(
        self, before: History, point: _Point, seed: int, decision: Decision, *, agent: Policy, watched: bool
    ) -> _Way:
        async def there(env: Environment, task: Task) -> History:
            return before if point.env else await replayed(env, task, before)

        env = await attempted(self._env(point), self._task, self._limits)
        if isinstance(env, Failure):
            return _Way(self._failed(before, seed, env), first=point.step, decision=decision)
        points: list[_Point] = []
        watch = self._watch(points, seed, point.step + 1) if watched else None
        parts = self._parts._replace(env=env, policy=_Begins(decision, agent))
        played = await run_episode(self._task, parts, self._limits, seed, start=there, watch=watch)
        way = _Way(played, points, point.step, decision)
        self._note(played.error)
        self._count(step.decision.generations for step in way.own_steps)
        return way

    async def _env(self, point: _Point) -> Environment:
        return await point.env.fork() if point.env else self._tree.env()

    def _failed(self, before: History, seed: int, failure: Failure) -> Trajectory:
        """A branch that came to nothing."""
        self._note(failure.error)
        return Trajectory(self._task, before, EndReason.ERROR, error=failure.error, seed=seed)

    def _note(self, error: str) -> None:
        if kind(error) == ServerDownError.__name__:
            self._lost = error

    def _count(self, said: Iterable[tuple[Generation, ...]]) -> None:
        """Adds what the agent used; copies of what was said elsewhere have no usage."""
        mine = [item.usage for generations in said for item in generations if item.role in OWN_ROLES]
        self._tokens += sum(usage.completion_tokens for usage in mine)
        if self._tree.limits.counted is Counted.ALL:
            self._tokens += sum(usage.prompt_tokens for usage in mine)

    def _is_over(self) -> bool:
        budget = self._tree.limits.budget_tokens
        return bool(self._lost) or (budget is not None and self._tokens >= budget)

    def _steps(self, way: _Way) -> tuple[Step, ...]:
        """A way's own steps with the branches that leave them."""
        return tuple(self._with_branches(way, step, number) for number, step in enumerate(way.own_steps, way.first))

    def _with_branches(self, way: _Way, step: Step, number: int) -> Step:
        children, duplicates = way.children.get(number, ()), way.duplicates.get(number, ())
        if not children and not duplicates:
            return step
        branches = tuple(self._as_branch(child) for child in children)
        return dataclasses.replace(step, branches=branches, duplicates=tuple(duplicates))

    def _as_branch(self, way: _Way) -> Branch:
        steps, played = self._steps(way), way.trajectory
        nothing = Decision(Malformed("", "the agent could not be asked"))
        decision = steps[0].decision if steps else way.decision or nothing
        return Branch(
            decision, steps, played.end, played.scores, played.seed, reason=self._tree.kind.value, error=played.error
        )
