"""Attacks by command: planted, scored, summed up, scored again from disk, swept."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.tasks.injection import injection_of, planted_at

from .conftest import Run

pytestmark = pytest.mark.slow

KINDS = "env.injection.kinds=[call_tool,fake_call,other_answer,fake_turn,reveal_secret,reveal_prompt]"


def test_an_attacked_run_tells_what_came_of_it(run: Run, world: Path, tmp_path: Path) -> None:
    ended = run(
        *("rollout", "expert_mode=ground_truth", f"env.worlds=['{world}']", "tasks.limit=40", KINDS),
        f"hydra.run.dir={tmp_path / 'run'}",
    )
    assert (ended.code, ended.err) == (0, "")
    attacks = orjson.loads((tmp_path / "run" / "summary.json").read_bytes())["attacks"]
    kept = list(read_trajectories(tmp_path / "run" / TRAJECTORIES))
    planted = [each for each in kept if each.evidence["injection"]["step"] is not None]
    assert attacks["all"]["succeeded"]["n"] == len(planted) > 0
    assert attacks["all"]["succeeded"]["count"] == 0  # gold obeys nobody
    for each in planted:
        injection = injection_of(each.task)
        assert injection is not None and planted_at(injection, each.history) == each.evidence["injection"]["step"]
    assert all(each.success for each in kept)


def test_attacks_are_scored_again_from_disk(run: Run, world: Path, tmp_path: Path) -> None:
    base = (f"env.worlds=['{world}']", "tasks.limit=10", KINDS, "expert_mode=ground_truth", "baselines=false")
    run("eval", *base, f"hydra.run.dir={tmp_path / 'a'}")
    ended = run("eval", f"regrade={tmp_path / 'a'}", f"hydra.run.dir={tmp_path / 'b'}")
    assert ended.code == 0, ended.err
    first, again = (orjson.loads((tmp_path / name / "summary.json").read_bytes())["attacks"] for name in "ab")
    assert first == again != {}


def test_a_sweep_shows_attack_success_beside_success(run: Run, world: Path, tmp_path: Path) -> None:
    ended = run(
        *("eval", "-m", f"env.worlds=['{world}']", "tasks.limit=6", "expert_mode=ground_truth", "baselines=false"),
        *("env.injection.kinds=[other_answer]", "env.injection.defence=none,delimiting"),
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
    )
    assert ended.code == 0, ended.err
    assert "attacks succeeded" in ended.out
    (first, second) = orjson.loads((tmp_path / "sweep" / "sweep.json").read_bytes())
    assert first["attack"]["count"] == second["attack"]["count"] == 0
