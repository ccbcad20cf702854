"""How many branches the episodes of a run have, how they ended, and what they took."""

from __future__ import annotations

from collections.abc import Iterator

from agentbench.policies import OWN_ROLES
from agentbench.types import Branch, EndReason, Generation, Step, Trajectory, Usage, record


@record
class BranchSums:
    """The branches of a run."""

    trees: int = 0
    """Episodes that have branches."""
    branches: int = 0
    solved: int = 0
    """Branches whose end was scored right."""
    errors: int = 0
    """Branches that ended with an error."""
    duplicates: int = 0
    """Samples that came to the same as what was done already, and were not followed."""
    tokens: Usage = Usage()
    """Of the agent, in branches and duplicates; `Summary.tokens` has them as well."""

    @property
    def leaves(self) -> int:
        """Ends of all paths of the trees, the executed ones included."""
        return self.branches + self.trees


def add_branches(sums: BranchSums, trajectory: Trajectory) -> BranchSums:
    """The sums with one more episode in them."""
    steps = trajectory.history.steps
    branches = list(_branches(steps))
    own = [*steps, *(step for branch in branches for step in branch.steps)]
    duplicates = [each for step in own for each in step.duplicates]
    said = [*duplicates, *(each for branch in branches for each in _said(branch))]
    mine = [each.usage for each in said if each.role in OWN_ROLES]
    return BranchSums(
        sums.trees + bool(branches),
        sums.branches + len(branches),
        sums.solved + sum(_solved(branch) for branch in branches),
        sums.errors + sum(branch.end is EndReason.ERROR for branch in branches),
        sums.duplicates + len(duplicates),
        Usage(
            sums.tokens.prompt_tokens + sum(usage.prompt_tokens for usage in mine),
            sums.tokens.completion_tokens + sum(usage.completion_tokens for usage in mine),
            sums.tokens.cached_tokens + sum(usage.cached_tokens for usage in mine),
        ),
    )


def _branches(steps: tuple[Step, ...]) -> Iterator[Branch]:
    """All below these steps."""
    for step in steps:
        for branch in step.branches:
            yield branch
            yield from _branches(branch.steps)


def _said(branch: Branch) -> Iterator[Generation]:
    """What was said on a branch itself; its first step repeats its decision."""
    if not branch.steps:
        yield from branch.decision.generations
    for step in branch.steps:
        yield from step.decision.generations


def _solved(branch: Branch) -> bool:
    return any(score.name == "answer" and score.value == 1.0 for score in branch.scores)
