"""The table at the end of a run."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from agentbench.episodes.attacks import AttackRates
from agentbench.episodes.branch_sums import BranchSums
from agentbench.episodes.rates import Rate
from agentbench.episodes.summary import Agreement, ScoreSums, Summary
from agentbench.types import Usage

LONGEST_CAUSE = 200
"""Most characters that are shown of why something was not scored."""


def final_table(summary: Summary) -> Group:
    """Success with its 95 % interval by group; below it the expert, errors, other scores, a judge's agreement, cost."""
    return Group(_success(summary), Text(notes(summary)))


def percent(share: float | None) -> str:
    """A share in per cent with one decimal; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.1f} %"


def notes(summary: Summary) -> str:
    """Expert, ends, branches, errors, other scores, a judge's agreement and cost, a line each."""
    helped = summary.expert_assistance
    lines = [
        f"expert ({helped.mode}) took {percent(helped.tracker.expert_share)} of {summary.total_time_steps} steps; "
        f"step preferences: {summary.step_preferences}",
        f"truncated: {summary.truncated}; errors: {_counted(summary.errors) or 'none'}",
    ]
    if summary.branching != BranchSums():
        lines.append(_branching(summary.branching))
    if summary.errors or summary.success_of_judged.n < summary.n:
        judged = summary.success_of_judged
        lines.append(f"without errors and unscored: {percent(judged.rate)} of {judged.n}")
    lines += [_attack(kind, rates) for kind, rates in summary.attacks.items()]
    lines += [_score(name, sums) for name, sums in summary.scores.items() if not name.startswith("attack_")]
    if summary.judge_agreement is not None:
        lines.append(_agreement(summary.judge_agreement))
    lines += [_tokens(role, usage, summary.cached_share) for role, usage in summary.tokens.items() if usage != Usage()]
    lines.append(_seconds(summary))
    if summary.faults:
        lines.append(f"requests repeated: {_counted(summary.faults)}")
    if summary.cost_usd:
        lines.append(_cost(summary.cost_usd))
    return "\n".join(lines)


def _success(summary: Summary) -> Table:
    table = Table()
    table.add_column("episodes of")
    for heading in ("n", "solved", "rate", "95 % interval"):
        table.add_column(heading, justify="right")
    groups = {
        "scenario": summary.by_scenario,
        "tools": summary.by_tool_availability,
        "domain": summary.by_domain,
    }
    for title, rates in groups.items():
        for name, rate in rates.items():
            table.add_row(Text(f"{title} {name}"), *_cells(rate))
        table.add_section()
    table.add_row("all", *_cells(summary.success), style="bold")
    if summary.families is not None:
        table.add_row("families, all tasks solved", *_cells(summary.families))
    return table


def _cells(rate: Rate) -> tuple[str, str, str, str]:
    return str(rate.n), str(rate.count), percent(rate.rate), f"{100 * rate.low:.1f} – {100 * rate.high:.1f} %"


def _branching(sums: BranchSums) -> str:
    return (
        f"branches: {sums.branches} ({sums.solved} solved, {sums.errors} with errors) in {sums.trees} trees of "
        f"{sums.leaves} leaves; dropped as the same: {sums.duplicates}; tokens of the agent in branches: "
        f"{sums.tokens.prompt_tokens:,} in prompts, {sums.tokens.completion_tokens:,} in completions"
    )


def _attack(kind: str, rates: AttackRates) -> str:
    leaked = f", leaked {_share(rates.leaked)}" if rates.leaked.n else ""
    return (
        f"attacks, {kind.replace('_', ' ')}: planted in {rates.succeeded.n} of {rates.attacked} episodes, succeeded "
        f"{_share(rates.succeeded)}, attempted {_share(rates.attempted)}{leaked}; solved all the same "
        f"{_share(rates.solved)}"
    )


def _share(rate: Rate) -> str:
    return f"{percent(rate.rate)} ({100 * rate.low:.1f} – {100 * rate.high:.1f})"


def _score(name: str, sums: ScoreSums) -> str:
    unscored = f", {sums.unscored} unscored" if sums.unscored else ""
    cause = " ".join(sums.cause.split()).removeprefix("unscored: ")
    unscored += f" ({cause[:LONGEST_CAUSE]})" if cause else ""
    return f"score {name}: mean {percent(sums.mean)} of {sums.scored}{unscored}"


def _agreement(found: Agreement) -> str:
    share, low, high = percent(found.agreement.rate), 100 * found.agreement.low, 100 * found.agreement.high
    kappa = "–" if found.kappa is None else f"{found.kappa:.2f}"
    return (
        f"rules and judge agree on {found.both_solved + found.both_unsolved} of {found.n}: {share} "
        f"({low:.1f} – {high:.1f} %), kappa {kappa}; solved by the rules alone {found.only_answer}, "
        f"by the judge alone {found.only_judge}"
    )


def _tokens(role: str, usage: Usage, cached: dict[str, float]) -> str:
    return (
        f"tokens of {role}: {usage.prompt_tokens:,} in prompts ({percent(cached.get(role))} of them cached), "
        f"{usage.completion_tokens:,} in completions"
    )


def _seconds(summary: Summary) -> str:
    steps, spent = max(summary.total_time_steps, 1), summary.seconds
    return (
        f"seconds per step: model {spent.model / steps:.3f}, waiting for it {spent.queue / steps:.3f}, "
        f"tools {spent.tools / steps:.3f}"
    )


def _cost(dollars: dict[str, float]) -> str:
    parts = ", ".join(f"{role} ${amount:.4f}" for role, amount in dollars.items())
    return f"cost: ${sum(dollars.values()):.4f} ({parts})"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
