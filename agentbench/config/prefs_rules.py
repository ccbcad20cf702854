"""Rules between the parts of a row builder's configuration; each gives the broken one as a line, or an empty string."""

from __future__ import annotations

from pathlib import Path

from agentbench.config.agent import AgentConfig, CodeForm, CoderAgent, PlannerAgent
from agentbench.config.prefs import PrefsConfig, SftPrefs, StepPrefs, StepSource, TrajectoryPrefs
from agentbench.config.template import TemplateConfig, TemplateKind

_SOURCES_OF = {
    "value_margin": (StepSource.VALUES,),
    "fewest_leaves": (StepSource.VALUES,),
    "negatives": (StepSource.GOLD,),
    "leave_out_agent": (StepSource.ACTORS, StepSource.GOLD),
    "leave_out_expert": (StepSource.ACTORS,),
    "unexecuted_expert_calls": (StepSource.ACTORS,),
    "only_interventions": (StepSource.ACTORS,),
}


def rows_have_trajectories(_prefs: PrefsConfig, trajectories: tuple[Path, ...]) -> str:
    """Rows are made of something."""
    example = "trajectories=[outputs/rollout/<time>/trajectories.jsonl]"
    return "" if trajectories else f"trajectories: required, e.g. {example}"


def source_has_its_settings(prefs: PrefsConfig) -> str:
    """Settings that would do nothing are refused."""
    if not isinstance(prefs, StepPrefs):
        return ""
    default = vars(StepPrefs())
    changed = sorted(name for name, value in vars(prefs).items() if value != default[name] and name in _SOURCES_OF)
    for name in changed:
        sources = _SOURCES_OF[name]
        if prefs.source not in sources:
            return f"prefs.{name}: belongs to prefs.source={' or '.join(sources)}, not to {prefs.source}"
    return ""


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


def loss_is_on_tokens(prefs: PrefsConfig, template: TemplateConfig) -> str:
    """What carries loss is said of tokens."""
    if isinstance(prefs, SftPrefs) and prefs.prompt_loss and template.kind is TemplateKind.TEACHER:
        return "prefs.prompt_loss: is about tokens, and template=teacher has none; choose the student's template"
    return ""


def help_is_measured_on_tokens(prefs: PrefsConfig, template: TemplateConfig) -> str:
    """How likely an answer is, is said of tokens."""
    if isinstance(prefs, SftPrefs) and prefs.helpful and template.kind is TemplateKind.TEACHER:
        return "prefs.helpful: is about tokens, and template=teacher has none; choose the student's template"
    return ""


def planners_learn_plans(prefs: PrefsConfig, agent: AgentConfig) -> str:
    """Nobody keeps what a planner would have planned instead; and code that is text has no alternative to compare."""
    if isinstance(prefs, StepPrefs) and isinstance(agent, CoderAgent) and agent.writes is not CodeForm.CALLS:
        return f"prefs: agent.writes={agent.writes} has no pairs of steps; choose agent.writes=calls, or other prefs"
    if isinstance(prefs, StepPrefs) and isinstance(agent, PlannerAgent):
        return "prefs: agent=planner has no pairs of steps; choose prefs=sft or prefs=trajectory"
    return ""


def lengths_are_counted(_prefs: PrefsConfig, template: TemplateConfig, cutoff_len: int | None) -> str:
    """Lengths are in tokens."""
    if template.kind is TemplateKind.TEACHER and cutoff_len is not None:
        return "cutoff_len: counts tokens, and template=teacher has none; choose the student's template"
    return ""
