"""Which template, tokenizer and episodes the doctor audits; no weights are loaded and no environment is made."""

from __future__ import annotations

import dataclasses
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from agentbench.app.writing import write_json
from agentbench.build import Report
from agentbench.build.models import family, system_prompt
from agentbench.build.students import student_folder
from agentbench.build.trained_view import as_seen
from agentbench.build.worlds import worlds
from agentbench.config.audit import NoModel
from agentbench.config.entry import DoctorConfig
from agentbench.config.model import HfModel, OpenAIModel, TinyModel
from agentbench.config.template import TemplateKind
from agentbench.episodes.store import read_trajectories
from agentbench.errors import ConfigError, PreflightError
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.training_data.token_audit import About, audit
from agentbench.training_data.token_figures import Pair, TokenAudit, joined
from agentbench.training_data.token_histories import Case, plain_cases
from agentbench.types import History

AUDIT = "audit.json"


class AuditPlan(NamedTuple):
    """What is to be audited."""

    pair: Pair
    about: About
    given: tuple[Case, ...]
    seed: int

    @property
    def shown(self) -> History:
        """The episode to print: the first given one, or else a made-up one."""
        return (*self.given, *plain_cases())[0].history

    def play(self, folder: Path) -> TokenAudit:
        """Audits, and writes `audit.json`.

        Raises:
            OSError: it cannot be written.
        """
        found = audit(self.pair, self.about, self.given, self.seed)
        write_json(folder / AUDIT, _content(found))
        return found


def audits_tokens(config: DoctorConfig) -> bool:
    """Whether a template is to be audited, and not the environment.

    Raises:
        ConfigError: a key of the audit is set, and there is no tokenizer to audit.
    """
    if not isinstance(config.model, NoModel) or config.template.tokenizer is not None:
        return True
    keys = {
        "template": config.template.kind is not TemplateKind.TINY or not config.template.thinking,
        "tokens.show": config.tokens.show,
        "trajectories": bool(config.trajectories),
    }
    advice = "needs a tokenizer to look at; add model=hf model.path=…, or template.tokenizer=<folder>"
    if any(keys.values()):
        raise ConfigError([f"{key}: {advice}" for key, given in keys.items() if given])
    return False


def audit_plan(config: DoctorConfig, report: Report) -> AuditPlan:
    """The audit that a configuration asks for.

    Raises:
        ConfigError: the template has no tokens of its own, or no switch for thinking.
        PreflightError, DataError: there is no tokenizer, it does not know the template's control tokens, or a file of
            trajectories cannot be read.
    """
    template = config.template
    layout = family(template.kind, template.thinking)
    place = template.tokenizer or _place(config, report)
    pair = joined(layout, load_tokenizer(place), system_prompt(config.agent))
    about = About(template.kind.value, place, template.thinking)
    return AuditPlan(pair, about, _given(config, report), config.seed)


def _place(config: DoctorConfig, report: Report) -> str:
    match config.model:
        case TinyModel() as tiny:
            return str(_student(tiny, config, report))
        case HfModel(path=path):
            return path
        case OpenAIModel() | NoModel():
            raise ConfigError(["template.tokenizer: required: folder or hub name of the served model's tokenizer"])


def _student(tiny: TinyModel, config: DoctorConfig, report: Report) -> Path:
    if tiny.path is not None:
        return tiny.path
    found = worlds(config.env, config.cache_dir, report)
    folder = student_folder(tiny, config.env, config.retriever, cache_dir=config.cache_dir, found=found)
    if not (folder / "tokenizer.json").is_file():
        problem = f"no tiny student of these settings yet: {folder} is not there, and with it its vocabulary"
        raise PreflightError(problem, "python -m agentbench.train, or model.path=<folder of a student>")
    return folder


def _given(config: DoctorConfig, report: Report) -> tuple[Case, ...]:
    """Every way through the first trajectories of the files, branches included."""
    read = (as_seen(each, config.agent) for path in config.trajectories for each in read_trajectories(path))
    chosen = list(islice(read, config.tokens.limit))
    if next(read, None) is not None:
        report(f"looking at the first {len(chosen)} trajectories; tokens.limit sets how many")
    return tuple(
        Case(trajectory.task.id, dataclasses.replace(trajectory.history, steps=steps))
        for trajectory in chosen
        for steps in trajectory.paths()
    )


def _content(found: TokenAudit) -> dict[str, object]:
    """The audit with its verdicts, which the record derives."""
    verdicts = {"right_to_train_on": not found.failed, "failed": found.failed}
    return {**verdicts, **dataclasses.asdict(found)}
