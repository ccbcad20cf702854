"""`summary.json`: what came out of a run, and the metadata of one episode under the names users know."""

from __future__ import annotations

import dataclasses
from dataclasses import field
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from agentbench.app.writing import write_whole
from agentbench.config.model import Price
from agentbench.episodes.attacks import AttackRates
from agentbench.episodes.branch_sums import BranchSums
from agentbench.episodes.rates import Rate, rate
from agentbench.errors import DataError, PreflightError
from agentbench.formats import KEY
from agentbench.formats import SUMMARY as FORMAT
from agentbench.types import Actor, Trajectory, Usage, record

SUMMARY = "summary.json"


@record
class ExpertSettings:
    """Which expert mode a run used; a limit that its mode does not have is `None`."""

    mode: str = "none"
    init_limit: int | None = None
    recent_limit: int | None = None
    random_epsilon: float | None = None


@record
class Tracker:
    """Who took the steps, and why the expert took its own."""

    expert_steps: int
    agent_steps: int
    expert_share: float | None
    """Expert steps among all steps, in [0, 1]; `None` where there were no steps."""
    interventions: dict[str, int]
    """Expert steps by the reason the expert stepped in."""


@record
class ExpertAssistance:
    """The expert's settings and what it did."""

    mode: str
    init_limit: int | None
    recent_limit: int | None
    random_epsilon: float | None
    tracker: Tracker


@record
class ScoreSums:
    """One scorer's verdicts over a run."""

    scored: int
    """Episodes it judged."""
    unscored: int
    """Episodes it looked at and could not judge."""
    mean: float | None
    """Mean value of the judged ones, in [0, 1]; `None` where there are none."""
    cause: str = ""
    """Why the first unscored one was not scored; empty where all were."""


@record
class Agreement:
    """How far two ways of calling an episode solved (a value of 1) agree: rules, `answer`, and a judge, `judge`.

    Only episodes that both have scored are in it.
    """

    n: int
    both_solved: int
    only_answer: int
    """Solved by the rules, not by the judge."""
    only_judge: int
    both_unsolved: int
    agreement: Rate
    """Share of the episodes that both call the same."""
    kappa: float | None
    """Cohen's kappa: agreement beyond chance, 1 at most; `None` where chance alone makes both agree always."""


@record
class Seconds:
    """Where the time of episodes went, added up over episodes that ran at once; branches are not counted."""

    model: float
    """From a request's answered attempt to its answer."""
    queue: float
    """Before it: for a free slot, between attempts, for a server that was down."""
    tools: float
    """Steps of environments."""


@record
class Summary:
    """One run in numbers."""

    n: int
    """Episodes, those that ended with an error included."""
    success: Rate
    """Of all episodes: one that ended with an error, or could not be scored, counts as not solved."""
    success_of_judged: Rate
    """Of the episodes that ended without an error and whose answer was scored."""
    terminated: int
    truncated: int
    errors: dict[str, int]
    """Episodes that ended with an error, by its type."""
    total_time_steps: int
    expert_assistance: ExpertAssistance
    step_categories: dict[str, int]
    step_preferences: int
    """Steps whose executed action does something else than an alternative would have done."""
    tokens: dict[str, Usage]
    """By role, branches and scorers included, as the model server counted them; answers from a cache have none.

    What a step said that failed, and so ended its episode, is in no trajectory and not counted here.
    """
    cached_share: dict[str, float]
    """Prompt tokens that the server had cached, among all, by role; servers that do not tell count as without."""
    seconds: Seconds
    faults: dict[str, int]
    """Attempts at model servers that failed and were repeated, by kind (`Generation.faults`)."""
    cost_usd: dict[str, float]
    """By role, for those that have a price."""
    scores: dict[str, ScoreSums]
    """By name, all scores but `answer`."""
    judge_agreement: Agreement | None
    """`None` where no episode was scored by both rules and a judge."""
    by_domain: dict[str, Rate]
    """Success of all episodes, as in `success`."""
    by_scenario: dict[str, Rate]
    by_tool_availability: dict[str, Rate]
    episodes: tuple[dict[str, Any], ...]
    """Every episode's metadata (see `episode_metadata`), by sample_id and sample."""
    lost_workers: int = 0
    """Workers that were lost with launcher=ray; their episodes were played again by others."""
    branching: BranchSums = BranchSums()
    families: Rate | None = None
    """Families of tasks of which all were solved, as AppWorld's scenarios; `None` where tasks belong to none."""
    attacks: dict[str, AttackRates] = field(default_factory=dict)
    """With `env.injection.kinds`: what came of the attacks, by kind and of `all`."""


def agreement(both_solved: int, only_answer: int, only_judge: int, both_unsolved: int) -> Agreement:
    """The agreement that a 2 × 2 table of counts shows.

    J. Cohen (1960), A coefficient of agreement for nominal scales, Educational and Psychological Measurement 20,
    37-46, equation 1: kappa = (p_o - p_c) / (1 - p_c), with p_c from the two marginal shares.
    """
    n = both_solved + only_answer + only_judge + both_unsolved
    alike = both_solved + both_unsolved
    by_answer, by_judge = both_solved + only_answer, both_solved + only_judge
    chance = by_answer * by_judge + (n - by_answer) * (n - by_judge)  # p_c · n²
    kappa = (alike * n - chance) / (n * n - chance) if n * n > chance else None
    return Agreement(n, both_solved, only_answer, only_judge, both_unsolved, rate(alike, n), kappa)


def cost(usage: Usage, price: Price) -> float:
    """US dollars; prompt tokens that the server had cached cost `price.cached` instead of `price.prompt`."""
    fresh = usage.prompt_tokens - usage.cached_tokens
    millions = fresh * price.prompt + usage.cached_tokens * price.cached + usage.completion_tokens * price.completion
    return millions / 1e6


def tracker(expert_steps: int, agent_steps: int, interventions: dict[str, int]) -> Tracker:
    """A tracker with its share worked out."""
    steps = expert_steps + agent_steps
    return Tracker(expert_steps, agent_steps, expert_steps / steps if steps else None, interventions)


def assistance(expert: ExpertSettings, tracked: Tracker) -> ExpertAssistance:
    """Settings and tracker as one record."""
    return ExpertAssistance(expert.mode, expert.init_limit, expert.recent_limit, expert.random_epsilon, tracked)


def interventions(trajectory: Trajectory) -> dict[str, int]:
    """The expert's steps in one episode, counted by reason."""
    reasons: dict[str, int] = {}
    for step in trajectory.history.steps:
        if step.decision.actor is Actor.EXPERT:
            reason = step.decision.reason or "expert_alone"
            reasons[reason] = reasons.get(reason, 0) + 1
    return reasons


def episode_metadata(trajectory: Trajectory, expert: ExpertSettings) -> dict[str, Any]:
    """sample_id, sample, truncated, terminated, success, total_time_steps and expert_assistance, ready for JSON."""
    steps = len(trajectory.history.steps)
    tracked = tracker(trajectory.expert_steps, steps - trajectory.expert_steps, interventions(trajectory))
    return {
        "sample_id": trajectory.task.id,
        "sample": trajectory.sample,
        "truncated": trajectory.truncated,
        "terminated": trajectory.terminated,
        "success": trajectory.success,
        "total_time_steps": steps,
        "expert_assistance": orjson.loads(orjson.dumps(assistance(expert, tracked))),
    }


def read_summary(folder: Path) -> Summary:
    """What `write_summary` wrote.

    Raises:
        PreflightError: there is no summary in the folder.
        DataError: it is no summary, or a newer agentbench wrote it.
    """
    path = folder / SUMMARY
    try:
        return TypeAdapter(Summary).validate_json(FORMAT.current_json(path.read_bytes(), path))
    except OSError as failure:
        raise PreflightError(f"{path} cannot be read: {failure.strerror}") from failure
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        told = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise DataError(path, f"is no summary: {told}") from error


def write_summary(folder: Path, summary: Summary) -> None:
    """Writes `summary.json`, an episode a line; a reader sees the old one or the new one, never half of one.

    Raises:
        PreflightError: the folder cannot be written.
    """
    path = folder / SUMMARY
    try:
        write_whole(path, _document(summary))
    except OSError as failure:
        raise PreflightError(f"{path} cannot be written: {failure.strerror}") from failure


def _document(summary: Summary) -> bytes:
    """JSON, indented down to the episodes, which would take half as much room again if indented too."""
    empty = dataclasses.asdict(dataclasses.replace(summary, episodes=()))
    head = orjson.dumps({KEY: FORMAT.tag} | empty, option=orjson.OPT_INDENT_2)
    before, after = head.split(_NO_EPISODES)
    lines = b",\n    ".join(map(orjson.dumps, summary.episodes))
    return b"".join((before, b'"episodes": [\n    ', lines, b"\n  ]", after, b"\n"))


_NO_EPISODES = b'"episodes": []'
