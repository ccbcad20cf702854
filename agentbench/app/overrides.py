"""What each override of a command line means, and what is wrong with it, before anything is composed.

Hydra stops at the first override that it does not know. Here each is parsed by itself, choices are compared with the
files in conf/, and everything else becomes `++key=value`, which Hydra takes as it is; `config.load` then judges the
result as a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, RangeSweep
from hydra.errors import HydraException

from agentbench.app.groups import Group
from agentbench.config.secrets import names_secret, secret_problems
from agentbench.config.suggest import closest, did_you_mean

MOST_RUNS = 1000
"""Most runs of a sweep: each is composed before the first one starts, so a slip in a range would never come back."""


class Assignment(NamedTuple):
    """One override that can be composed."""

    key: str
    text: str
    """As Hydra gets it."""
    values: tuple[str, ...]
    """The same, once for each value of a sweep; just one where nothing is swept."""
    sweeps: bool


class Reading(NamedTuple):
    """A command line's overrides and what is wrong with them."""

    assignments: list[Assignment]
    problems: list[str]
    unknown_choices: tuple[str, ...]
    """Groups whose option is unknown and unlike any: what is below them cannot be judged."""


def read_overrides(lines: Sequence[str], groups: Mapping[str, Group], foreign: Collection[str] = ()) -> Reading:
    """The overrides of a command line; a mistyped option is read as the one it is most like.

    Args:
        lines: the overrides as typed.
        groups: what the entry point lets choose.
        foreign: groups of other entry points.
    """
    assignments: list[Assignment] = []
    problems: list[str] = []
    unknown: list[str] = []
    parser = OverridesParser.create()
    for line in lines:
        try:
            override = parser.parse_override(line)
        except HydraException as error:
            problems.append(_not_an_override(line, error))
            continue
        key = override.key_or_group
        problems += secret_problems([(key, line.partition("=")[2].replace("null", ""))])
        if problem := _sweep_problem(override, key in groups):
            problems.append(f"{line}: {problem}")
        elif override.is_interval_sweep():
            problems.append(f"{line}: an interval has no values to run one by one; list them: {key}=a,b,c")
        elif key in foreign:
            problems.append(f"{key}: not a choice here; there are {', '.join(groups)}")
        elif key in groups and override.package is None and not override.is_delete():
            choice = _choice(override, groups[key])
            problems += choice.problems
            assignments += [choice.assignment] if choice.assignment else []
            unknown += [] if choice.assignment else [key]
        else:
            assignments.append(_value(override))
    return Reading(assignments, problems, tuple(unknown))


def _sweep_problem(override: Override, is_group: bool) -> str:
    """Why a sweep cannot be run value by value; empty where it can. A range is not written out to find that."""
    match override.value():
        case RangeSweep(step=0):
            return "a range with steps of 0 has no end"
        case RangeSweep(start=start, stop=stop, step=step):
            values = abs(float(stop or 0) - float(start or 0)) / abs(float(step))
            return f"more than {MOST_RUNS:,} values; a sweep runs one for each" if values > MOST_RUNS else ""
        case Glob() if not is_group:
            return "glob() chooses among the files of a group, and this is a single value"
    return ""


def _not_an_override(line: str, error: HydraException) -> str:
    key, equals, _ = line.partition("=")
    if not equals:
        return f"{line}: not an override; write key=value"
    if names_secret(key):
        return f"{key}: secrets are no configuration; put it into .env"
    if "…" in line:
        return f"{line}: the … stands for something of yours; write that"
    reason = str(error).splitlines()[0].split(" expecting")[0]
    return f"{line}: cannot be read: {reason}"


def _value(override: Override) -> Assignment:
    line = override.input_line or ""
    plain = not (override.is_add() or override.is_force_add() or override.is_delete() or override.is_hydra_override())
    text = f"++{line}" if plain and override.package is None else line
    if not override.is_sweep_override():
        return Assignment(override.key_or_group, text, (text,), False)
    name = text.partition("=")[0]
    values = tuple(f"{name}={value}" for value in override.sweep_string_iterator())
    return Assignment(override.key_or_group, text, values, True)


class _Choice(NamedTuple):
    """The override of a group with mistyped options put right, and a line for each of them."""

    assignment: Assignment | None
    problems: list[str]


def _choice(override: Override, group: Group) -> _Choice:
    value = override.value()
    if isinstance(value, Glob):
        wanted = value.filter(list(group.options))
    elif override.is_sweep_override():
        wanted = list(override.sweep_string_iterator())
    else:
        wanted = ["null" if value is None else str(value)]
    problems = [_no_option(group, option) for option in wanted if option not in group.options]
    options = [option if option in group.options else _meant(group, option) for option in wanted]
    if not wanted or None in options:
        return _Choice(None, problems or [f"{override.input_line}: matches none of {', '.join(group.options)}"])
    values = tuple(f"{group.name}={option}" for option in options)
    text = f"{group.name}={','.join(map(str, options))}"
    return _Choice(Assignment(group.name, text, values, override.is_sweep_override()), problems)


def _meant(group: Group, option: str) -> str | None:
    return None if option in group.elsewhere else closest(option, group.options)


def _no_option(group: Group, option: str) -> str:
    there = ", ".join(group.options)
    if option in group.elsewhere:
        return f"{group.name}: {option!r} is for other entry points; here there are {there}"
    return f"{group.name}: {option!r} is none of {there}{did_you_mean(option, group.options)}"
