"""Rules between the parts of a row builder's configuration; each gives the broken one as a line, or an empty string."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from agentbench.config.prefs import PrefsConfig, StepPrefs, StepSource, TrajectoryPrefs
from agentbench.config.template import TemplateConfig, TemplateKind


def rows_have_trajectories(_prefs: PrefsConfig, trajectories: tuple[Path, ...]) -> str:
    """Rows are made of something."""
    example = "trajectories=[outputs/rollout/<time>/trajectories.jsonl]"
    return "" if trajectories else f"trajectories: required, e.g. {example}"


def source_has_its_settings(prefs: PrefsConfig) -> str:
    """Settings that would do nothing are refused."""
    if not isinstance(prefs, StepPrefs):
        return ""
    of_values = {"value_margin", "fewest_leaves"}
    names = {each.name for each in dataclasses.fields(prefs)} - {"kind", "source"}
    unused = of_values if prefs.source is StepSource.ACTORS else names - of_values
    default = vars(StepPrefs())
    given = sorted(name for name in unused if vars(prefs)[name] != default[name])
    other = StepSource.VALUES if prefs.source is StepSource.ACTORS else StepSource.ACTORS
    return f"prefs.{given[0]}: belongs to prefs.source={other}, not to {prefs.source}" if given else ""


def sides_are_of_trajectories(prefs: PrefsConfig, against: tuple[Path, ...]) -> str:
    """Only whole trajectories are set against another agent's."""
    if against and not isinstance(prefs, TrajectoryPrefs):
        return f"against: belongs to prefs=trajectory, not to prefs={prefs.kind}"
    return ""


def tokens_are_the_template_s(_prefs: PrefsConfig, template: TemplateConfig) -> str:
    """A template with tokens of its own needs the tokenizer that they are of."""
    teacher = template.kind is TemplateKind.TEACHER
    if not teacher and template.tokenizer is None:
        return f"tokenizer: required with template={template.kind}: folder of the model to be trained"
    if teacher and template.tokenizer is not None:
        return "tokenizer: template=teacher writes messages without tokens; choose the student's template"
    return ""


def lengths_are_counted(_prefs: PrefsConfig, template: TemplateConfig, cutoff_len: int | None) -> str:
    """Lengths are in tokens."""
    if template.kind is TemplateKind.TEACHER and cutoff_len is not None:
        return "cutoff_len: counts tokens, and template=teacher has none; choose the student's template"
    return ""
