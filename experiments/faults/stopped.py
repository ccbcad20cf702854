"""Runs that are stopped: kill -9, Ctrl-C, SIGTERM, at random moments, several times on one folder."""

from __future__ import annotations

import signal

from agentbench.app.record import read_record
from experiments.faults.bench import DONE, STOPPED, Bench, Whole, demand, told
from experiments.faults.children import Child, Ended

KILLS = 2
"""Further kills of one run after the first, each at another random moment of what is left."""


def killed(bench: Bench, whole: Whole) -> str:
    """kill -9 again and again; at last the run is left alone."""
    if bench.entry.endless:
        return _served_again(bench, signal.SIGKILL)
    name, kept, moments = "run", frozenset[str](), []
    for number in range(1 if bench.entry.dear else KILLS + 1):
        child = bench.start(name=name, resume=_resumable(bench, name))
        moments.append(_stop_at_random(bench, child, whole, signal.SIGKILL))
        ended = child.end()
        demand(not ended.left, f"left behind after kill -9: {ended.left}")
        found = bench.entry.kept(bench.run_folder(name))
        demand(kept <= found, f"lost {sorted(kept - found)[:3]}")
        kept = found
        if ended.code == DONE:
            break
        if not _resumable(bench, name):
            name = f"run{number}"
    told(bench.start(name=name, resume=_resumable(bench, name)).end(), DONE)
    bench.complete(name, whole)
    return f"{len(moments)} times, at {', '.join(moments)}"


def interrupted(bench: Bench, whole: Whole) -> str:
    """Ctrl-C at a random moment and in the middle; each time the command that is told goes on."""
    return _asked_to_stop(bench, whole, signal.SIGINT)


def terminated(bench: Bench, whole: Whole) -> str:
    """SIGTERM at a random moment and in the middle; each time the command that is told goes on."""
    return _asked_to_stop(bench, whole, signal.SIGTERM)


def _asked_to_stop(bench: Bench, whole: Whole, number: signal.Signals) -> str:
    if bench.entry.endless:
        return _served_again(bench, number)
    moments = [_stopped_in_the_middle(bench, whole, number)]
    if bench.entry.dear:
        return f"at {moments[0]}"
    child = bench.start(name="early")
    moments.append(_stop_at_random(bench, child, whole, number))
    ended = child.end()
    if _outside_our_lines(bench, ended, number):
        return f"at {', '.join(moments)}, while Python started or ended"
    told(ended, STOPPED, DONE)
    if ended.code == STOPPED:
        told(bench.next_of(ended).end(), DONE)
    return f"at {', '.join(moments)}"


def _outside_our_lines(bench: Bench, ended: Ended, number: signal.Signals) -> bool:
    """While Python itself starts or ends, a signal does what it does to any program; nothing is begun, or all done."""
    python_says = ended.code == -number or (ended.code == 1 and "KeyboardInterrupt" in ended.err)
    folder = bench.run_folder("early")
    over = not folder.exists() or (read_record(folder) or {}).get("exit_code") == DONE
    return python_says and "error: " not in ended.err and over


def _stopped_in_the_middle(bench: Bench, whole: Whole, number: signal.Signals) -> str:
    ended = _stopped(bench, number)
    told(ended, STOPPED)
    kept = bench.entry.kept(bench.run_folder())
    again = bench.next_of(ended).end()
    told(again, DONE)
    if bench.entry.resumes:
        demand(kept <= bench.entry.kept(bench.run_folder()), "what was finished is gone")
        bench.complete("run", whole)
    return f"the middle ({len(kept)} finished)"


def _stopped(bench: Bench, number: signal.Signals) -> Ended:
    child = bench.start()
    child.wait_for(lambda: bench.entry.half(bench.run_folder()))
    child.send(number)
    return child.end()


def _served_again(bench: Bench, number: signal.Signals) -> str:
    """A server that is stopped leaves its port to the next one."""
    port = 0
    for name in ("first", "second"):
        child = bench.start(f"serve.port={port}", name=name)
        demand(child.wait_for(lambda child=child: "http://" in child.out), "it did not serve")
        port = int(child.out.partition("127.0.0.1:")[2].partition("/")[0])
        child.send(number)
        ended = child.end()
        demand(ended.code == (DONE if number is not signal.SIGKILL else -number), f"exit code {ended.code}")
        demand(not ended.left and "Traceback" not in ended.err, f"left {ended.left}, said {ended.err[-200:]!r}")
    return "while serving; its port is free at once"


def _resumable(bench: Bench, name: str) -> bool:
    return bench.entry.resumes and (bench.run_folder(name) / ".hydra" / "config.yaml").is_file()


def _stop_at_random(bench: Bench, child: Child, whole: Whole, number: signal.Signals) -> str:
    share = bench.rng.uniform(0.1, 0.9)
    child.wait_for(lambda: False, share * whole.seconds)
    child.send(number)
    return f"{share:.0%}"
