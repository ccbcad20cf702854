"""How a world's tools are presented: ablations of names, words and numbers of tools, over the same tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from agentbench.build import Report, ToolMaker
from agentbench.config.env import InterfaceConfig, ShortlistConfig, Shortlister
from agentbench.tools import Tool
from agentbench.tools.interface import presented, presented_task, view_of
from agentbench.tools.needed import GET_DATA, without_needed
from agentbench.tools.shortlist import Ranking, bm25_ranking, dense_ranking, keeps_gold, shortlist, task_query
from agentbench.types import Task, ToolSpec
from agentbench.worlds.distractors import mixed

StandIns = Mapping[str, frozenset[str]]
"""For each tool that may be taken away: it and all that could be used in its place."""


class Interface:
    """One domain's tools and tasks as the configuration wants them presented."""

    def __init__(
        self, config: InterfaceConfig, base: ToolMaker, extra: Sequence[Tool], *, fixed: bool, seed: int
    ) -> None:
        """`fixed`: the base tools are the same for every episode, so presenting them once is enough."""
        self._config = config
        self._base = base
        self._extra = tuple(extra)
        self._seed = seed
        whole = self._mixed(None)
        specs = [tool.spec for tool in whole]
        self._view = view_of(specs, obfuscate_names=config.obfuscate_names, descriptions=config.descriptions, seed=seed)
        own = () if fixed else (tool.spec.name for tool in base(None) if not _is_getter(tool.spec.name))
        self._verbs = {self._view.tools.get(name, name) for name in own}
        shown = presented(whole, self._view)
        self._fixed = shown if fixed else None
        self._ranking = _ranking(config.shortlist, [tool.spec for tool in shown])

    def tools(self, task: Task | None) -> tuple[Tool, ...]:
        """The tools of one episode; without a task all of them."""
        shown = self._fixed if self._fixed is not None else presented(self._mixed(task), self._view)
        if task is None:
            return shown
        kept = {spec.name for spec in self._kept(task, [tool.spec for tool in shown])}
        return tuple(tool for tool in shown if tool.spec.name in kept)

    def task(self, task: Task, stand_ins: StandIns) -> Task | None:
        """The task with its gold under the presented names; `None` where a needed tool is to go and none is needed."""
        changed = without_needed(task, stand_ins, self._seed) if self._config.remove_needed else task
        if changed is None:
            return None
        changed = presented_task(changed, self._view)
        facts = {"distractor_tools": len(self._extra)}
        if self._config.shortlist.tools is not None:
            facts["gold_shortlisted"] = keeps_gold(changed, [tool.spec for tool in self.tools(changed)])
        return dataclasses.replace(changed, data={**changed.data, **facts})

    def _mixed(self, task: Task | None) -> tuple[Tool, ...]:
        tools = (*self._base(task), *self._extra)
        return mixed(tools, self._seed) if self._extra else tools

    def _kept(self, task: Task, specs: list[ToolSpec]) -> Sequence[ToolSpec]:
        removed = {self._view.tools.get(name, name) for name in task.data.get("removed_tools", ())}
        left = [spec for spec in specs if spec.name not in removed]
        most = self._config.shortlist.tools
        if most is None or self._ranking is None:
            return left
        ranked = [spec for spec in left if spec.name not in self._verbs]
        listed = {spec.name for spec in shortlist(ranked, task_query(task), most, self._ranking)}
        return [spec for spec in left if spec.name in listed or spec.name in self._verbs]


def presented_tasks(
    tasks: Sequence[Task], interfaces: Mapping[str, Interface], stand_ins: Mapping[str, StandIns], report: Report
) -> tuple[Task, ...]:
    """The tasks as their domains' interfaces present them; those that cannot lack a tool are left out, and counted."""
    made = [
        interfaces[task.domain].task(task, stand_ins[task.domain]) if task.domain in interfaces else task
        for task in tasks
    ]
    kept = tuple(task for task in made if task is not None)
    if len(kept) < len(made):
        report(f"{len(made) - len(kept)} of {len(made)} tasks need no API tool and are left out: none can be missing")
    return kept


def _is_getter(name: str) -> bool:
    """Whether a handle tool is about one column; all others are verbs that no question speaks of and all need."""
    return name.startswith("get_") and name != GET_DATA


def _ranking(config: ShortlistConfig, specs: Sequence[ToolSpec]) -> Ranking | None:
    if config.tools is None:
        return None
    match config.by:
        case Shortlister.BM25:
            return bm25_ranking(specs)
        case Shortlister.DENSE:
            from agentbench.tools.retriever.encoders import PackagedEncoder

            return dense_ranking(specs, PackagedEncoder())
