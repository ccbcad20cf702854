"""The table at the end of a run."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from agentbench.episodes.rates import Rate
from agentbench.episodes.summary import Summary


def final_table(summary: Summary) -> Group:
    """Success with its 95 % interval, by scenario, tool availability and domain; below it the expert and errors."""
    return Group(_success(summary), Text(_rest(summary)))


def percent(share: float | None) -> str:
    """A share in per cent with one decimal; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.1f} %"


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
            table.add_row(f"{title} {name}", *_cells(rate))
        table.add_section()
    table.add_row("all", *_cells(summary.success), style="bold")
    return table


def _cells(rate: Rate) -> tuple[str, str, str, str]:
    return str(rate.n), str(rate.count), percent(rate.rate), f"{100 * rate.low:.1f} – {100 * rate.high:.1f} %"


def _rest(summary: Summary) -> str:
    helped = summary.expert_assistance
    lines = [
        f"expert ({helped.mode}) took {percent(helped.tracker.expert_share)} of {summary.total_time_steps} steps; "
        f"step preferences: {summary.step_preferences}",
        f"truncated: {summary.truncated}; errors: {_counted(summary.errors) or 'none'}",
    ]
    if summary.errors or summary.success_of_judged.n < summary.n:
        judged = summary.success_of_judged
        lines.append(f"without errors and unscored: {percent(judged.rate)} of {judged.n}")
    return "\n".join(lines)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
