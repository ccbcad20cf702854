"""Runs on a real Ray cluster of this machine, with a worker that is killed in the middle."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import orjson
import pytest

from .conftest import Run, command, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'agentbench[ray]'"),
]
TIMES = frozenset({"seconds", "queue_seconds"})


def timeless(value: Any) -> Any:
    """The same without the times."""
    if isinstance(value, dict):
        return {key: timeless(part) for key, part in value.items() if key not in TIMES}
    return [timeless(part) for part in value] if isinstance(value, list) else value


def played(folder: Path) -> list[bytes]:
    """All lines of a run, in an order of their own."""
    lines = (folder / "trajectories.jsonl").read_bytes().splitlines()
    return sorted(orjson.dumps(timeless(orjson.loads(line))) for line in lines)


def on(folder: str, launcher: str, *arguments: str) -> tuple[str, ...]:
    return (*arguments, f"launcher={launcher}", f"hydra.run.dir={folder}")


def slow_model(server: str) -> tuple[str, ...]:
    return ("model=openai", f"model.base_url={server}", "model.name=slow", "concurrency=2")


class Started:
    """A rollout under way on Ray whose workers are ready, and some of whose episodes are on disk."""

    def __init__(self, tmp_path: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            command("rollout", *on("ray", "ray", *arguments)),
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout
        ready = next(line for line in self.process.stdout if "workers are ready" in line)
        self.pids = [int(pid) for pid in re.findall(r"(\d+) on ", ready)]
        lines = tmp_path / "ray" / "trajectories.jsonl"
        while not lines.exists() or lines.read_bytes().count(b"\n") < 10:
            time.sleep(0.02)


def test_workers_play_what_one_process_plays(run: Run, world: Path, student: Path, tmp_path: Path) -> None:
    common = (f"env.worlds=['{world}']", "tasks.limit=20", f"model.path='{student}'", "model.max_tokens=24")
    sampled = (*common, "agent.temperature=1", "expert_mode=informed")
    here, there = (run("rollout", *on(name, name, *sampled)) for name in ("single", "ray"))
    assert (here.code, here.err, there.code, there.err) == (0, "", 0, "")
    assert played(tmp_path / "ray") == played(tmp_path / "single")
    assert "2 workers are ready: " in there.out


def test_a_killed_worker_loses_no_episode_and_doubles_none(run: Run, world: Path, server: str, tmp_path: Path) -> None:
    arguments = (f"env.worlds=['{world}']", *slow_model(server))
    started = Started(tmp_path, *arguments)
    os.kill(started.pids[0], signal.SIGKILL)
    out, err = started.process.communicate(timeout=120)
    assert (started.process.returncode, err) == (0, "")
    assert f"the worker {started.pids[0]} on " in out and "episodes are played again by others" in out
    summary = orjson.loads((tmp_path / "ray" / "summary.json").read_bytes())
    assert (summary["n"], summary["lost_workers"], summary["errors"]) == (200, 1, {})
    assert run("rollout", *on("single", "single", *arguments)).code == 0
    assert played(tmp_path / "ray") == played(tmp_path / "single")


def test_ctrl_c_keeps_what_is_finished_and_the_run_goes_on_without_ray(
    run: Run, world: Path, server: str, tmp_path: Path
) -> None:
    arguments = (f"env.worlds=['{world}']", *slow_model(server))
    started = Started(tmp_path, *arguments)
    os.killpg(started.process.pid, signal.SIGINT)  # as a terminal does it: to Ray's own processes as well
    _, err = started.process.communicate(timeout=120)
    assert started.process.returncode == 4 and "stopped by SIGINT" in err and "resume=" in err
    kept = len(played(tmp_path / "ray"))
    assert 10 <= kept < 200
    assert not any(alive(pid) for pid in started.pids)
    assert run("rollout", *arguments, "resume=ray").code == 0
    assert len(played(tmp_path / "ray")) == 200


def alive(pid: int) -> bool:
    """Whether a process is there; waits some seconds for its end."""
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return False
        time.sleep(0.1)
    return True


def test_what_a_worker_cannot_do_is_one_line(run: Run, world: Path, tmp_path: Path) -> None:
    arguments = (
        f"env.worlds=['{world}']",
        "tasks.limit=2",
        "model=hf",
        "model.path=/no/model",
        "launcher.workers=1",
    )
    ended = run("rollout", *on("ray", "ray", *arguments))
    assert ended.code == 5
    assert re.match(r"error: the worker \d+ on \S+: no model '/no/model': there is no such folder", ended.err)


def test_a_local_cluster_listens_on_loopback_alone(world: Path, server: str, tmp_path: Path) -> None:
    started = Started(tmp_path, f"env.worlds=['{world}']", *slow_model(server))
    listening = addresses(descendants(started.process.pid))
    started.process.send_signal(signal.SIGINT)
    started.process.communicate(timeout=120)
    assert len(listening) >= 4  # of the driver, the cluster's head, its node and the workers
    assert all(address.is_loopback for address in listening)


def descendants(pid: int) -> set[int]:
    """A process with all below it."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {pid}.union(*(descendants(int(child)) for child in below))


def addresses(pids: set[int]) -> list[IPv4Address | IPv6Address]:
    """Where processes listen for TCP connections, from proc(5)."""
    held = {os.readlink(file) for pid in pids for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()}
    found = []
    for table in ("tcp", "tcp6"):
        rows = [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
        found += [row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in held]
    return [address(host) for host in found]


def address(digits: str) -> IPv4Address | IPv6Address:
    """From its 32-bit words, each of them in this machine's byte order; IPv4 within IPv6 comes out as IPv4."""
    words = [bytes.fromhex(digits[start : start + 8])[::-1] for start in range(0, len(digits), 8)]
    read = ip_address(b"".join(words))
    return (read.ipv4_mapped or read) if isinstance(read, IPv6Address) else read


@pytest.mark.parametrize("address", ["auto", "no address"])
def test_a_cluster_that_is_not_there_is_one_line(
    address: str, run: Run, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if address == "auto" and any(name(entry) == "gcs_server" for entry in Path("/proc").glob("[0-9]*")):
        pytest.skip("a Ray cluster is up on this machine, and auto would find it")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # holds the address of the latest cluster, if there was one
    arguments = (f"env.worlds=['{world}']", "tasks.limit=2", "expert_mode=ground_truth")
    ended = run("rollout", *on("ray", "ray", *arguments, f"launcher.address='{address}'"))
    assert ended.code == 5
    assert ended.err.startswith(f"error: no Ray cluster at launcher.address={address!r}: ")
    assert "next: ray start --head, or launcher.address=local\n" in ended.err


def name(process: Path) -> str:
    """A process's own name; empty where it is gone."""
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return ""
