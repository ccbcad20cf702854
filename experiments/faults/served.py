"""Model servers, judges and search engines that are dead, die in the middle, or misbehave for a while and for good."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from experiments.faults.bench import DONE, FAILURES, MISSING, Bench, Whole, demand, told
from experiments.faults.children import Child, entry_command
from experiments.faults.model_server import NAME, Misbehaviour, ModelServer, model_server
from experiments.faults.search_server import search_server

NOBODY = "http://127.0.0.1:9/v1"
BEFORE = 7
"""Requests that are answered well before a fault."""


def model_dead(bench: Bench, whole: Whole) -> str:
    """Not there at the start; gone in the middle and back in time; gone for good, then back for `resume=`."""
    if bench.entry.name == "prepare":
        return _writer(bench, Misbehaviour.DEAD)
    bench.server = None
    told(bench.start(name="never").end(), MISSING)
    with model_server() as first:
        bench.server = first
        child = bench.start("model.down_timeout_s=120", name="back")
        _die_in_the_middle(bench, child, first, "back")
    with model_server(first.server_port) as second:
        told(child.end(), DONE)
        bench.complete("back", whole)
        bench.server = second
        child = bench.start()
        _die_in_the_middle(bench, child, second, "run")
    told(child.end(), MISSING)
    _resumes(bench, whole, second.server_port)
    return "at the start: one line; back in time: no episode lost; gone: resumed"


def _die_in_the_middle(bench: Bench, child: Child, server: ModelServer, name: str) -> None:
    there = child.wait_for(lambda: bench.entry.half(bench.run_folder(name)))
    demand(there, f"it never was under way: {'' if child.running else child.end()}")
    server.misbehave = Misbehaviour.DEAD  # connections that are open are cut, and new ones once it is closed


def _resumes(bench: Bench, whole: Whole, port: int) -> None:
    with model_server(port) as server:
        bench.server = server
        told(bench.start(resume=True).end(), DONE)
        bench.complete("run", whole)


def misbehaving(kind: Misbehaviour) -> Callable[[Bench, Whole], str]:
    """One bad answer, which costs nothing; then nothing but bad answers, which end the run so that it can go on."""

    def fault(bench: Bench, whole: Whole) -> str:
        if bench.entry.name == "prepare":
            return _writer(bench, kind)
        with model_server() as server:
            bench.server = server
            server.misbehave, server.after, server.most = kind, BEFORE, 1
            told(bench.start(name="once").end(), DONE)
            demand(server.faults == 1, f"{server.faults} faults instead of one")
            bench.complete("once", whole)
            server.asked, server.faults, server.most = 0, 0, 1_000_000
            ended = bench.start().end()
        told(ended, FAILURES, MISSING)
        kept = bench.entry.kept(bench.run_folder())
        demand(bool(kept), "nothing was finished before the fault")
        _resumes(bench, whole, server.server_port)
        demand(kept <= bench.entry.kept(bench.run_folder()), "what was finished is gone")
        return f"once: nothing lost; for good: exit code {ended.code}, {len(kept)} kept, resumed"

    return fault


def _writer(bench: Bench, kind: Misbehaviour) -> str:
    """The model that writes requests for `prepare source=assistant`; what it said is cached, and not asked again."""
    counts = ("source.tasks.train=4", "source.tasks.validation=0", "source.tasks.test=0")
    with model_server() as server:
        endpoint = ("source.endpoint.base_url=" + server.url, f"source.endpoint.name={NAME}")
        patience = ("source.endpoint.timeout_s=5", "source.endpoint.max_retries=1")
        arguments = ("source=assistant", *endpoint, *patience, *counts)
        server.misbehave, server.after = kind, 1
        ended = _wrote(bench, arguments, "failed")
        told(ended.end(), MISSING)
        server.misbehave = None
        told(_wrote(bench, arguments, "run").end(), DONE)
    made = (bench.run_folder() / "requests" / "train.jsonl").read_bytes().count(b"\n")
    demand(made == 4, f"{made} requests instead of 4")
    return "one line; asked again, it writes all"


def _wrote(bench: Bench, arguments: tuple[str, ...], name: str) -> Child:
    return bench.child(entry_command("prepare", *arguments, "cache_dir=out/cache", f"hydra.run.dir=out/{name}"))


def judge_down(bench: Bench, whole: Whole) -> str:
    """Not there at the start: one line. Gone in the middle: episodes are unscored by it, and can be graded again."""
    patience = ("timeout_s=10", "max_retries=0", "down_timeout_s=1")
    asked = ("judge=llm", f"judge.endpoint.name={NAME}", *(f"judge.endpoint.{text}" for text in patience))
    told(bench.start(*asked, f"judge.endpoint.base_url={NOBODY}", name="never").end(), MISSING)
    with model_server() as judge:
        judge.misbehave, judge.after = Misbehaviour.DEAD, 3
        again = (*asked, f"judge.endpoint.base_url={judge.url}")
        told(bench.start(*again).end(), DONE)
        bench.complete("run", whole)
        unscored = _unscored(bench, "run")
        demand(unscored > 0, "the judge's absence is not to be seen")
        judge.misbehave = None
        command = ["regrade=out/run", *again, "cache_dir=out/cache", "hydra.run.dir=out/graded"]
        told(bench.child(entry_command("eval", *command)).end(), DONE)
    demand(_unscored(bench, "graded") == 0, "some are unscored once the judge is back")
    return f"{unscored} unscored, all scored by `regrade=`"


def _unscored(bench: Bench, name: str) -> int:
    kept = read_trajectories(bench.run_folder(name) / TRAJECTORIES)
    return sum(score.name == "judge" and score.value is None for one in kept for score in one.scores)


def retriever_down(bench: Bench, whole: Whole) -> str:
    """Not there at the start: one line. Gone in the middle of a run: its episodes fail, and are played again."""
    engine = ("retriever=elasticsearch", "retriever.max_retries=0", "retriever.timeout_s=2")
    told(bench.start(*engine, "retriever.url=http://127.0.0.1:9", name="never").end(), MISSING)
    if not bench.entry.served:
        return "at the start: one line"
    with search_server() as search:
        search.most = 3
        again = (*engine, f"retriever.url={search.url}")
        ended = bench.start(*again).end()
        told(ended, FAILURES, MISSING)
        kept = bench.entry.kept(bench.run_folder())
        demand(bool(kept), "nothing was finished before the fault")
        search.most = 1_000_000
        told(bench.start(*again, resume=True).end(), DONE)
    bench.complete("run", whole)
    summary = orjson.loads((bench.run_folder() / "summary.json").read_bytes())
    demand(summary["errors"] == {}, f"errors are left: {summary['errors']}")
    return f"at the start: one line; in the middle: exit code {ended.code}, {len(kept)} kept, resumed"
