"""Which tiny student a configuration means: where it is cached, and the training that makes it."""

from __future__ import annotations

import dataclasses
import hashlib
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentbench.app.children import end_with_parent
from agentbench.build import Report
from agentbench.config.entry import RolloutConfig
from agentbench.config.env import EnvConfig, M3Env
from agentbench.config.env_appworld import AppWorldEnv
from agentbench.config.env_function_call import CallFormat, FunctionCallEnv
from agentbench.config.env_playground import PlaygroundEnv
from agentbench.config.model import TinyModel
from agentbench.config.retriever import RetrieverConfig
from agentbench.config.stage import SftStage
from agentbench.config.tasks import Split
from agentbench.errors import PreflightError
from agentbench.worlds.manifest import World

STUDENT_GENERATION = 3
"""Counts changes of the making that no configuration shows, its copying lesson for one; old students are not reused."""


class Lessons(NamedTuple):
    """What a student is taught, apart from its shape."""

    learnt: list[Any]
    """All that shapes what it learns; JSON."""
    overrides: list[str]
    """What the training is told of it."""


def trained_student(tiny: TinyModel, config: RolloutConfig, found: tuple[World, ...], report: Report) -> Path:
    """The folder of the tiny student of these settings, trained by a process of its own if it is not cached.

    Raises:
        PreflightError: the environment has nothing to train on; or training failed: its own message stands above.
    """
    cache_dir = config.cache_dir
    folder = student_folder(tiny, config.env, config.retriever, cache_dir=cache_dir, found=found)
    if (folder / "config.json").is_file():
        return folder
    report(f"no tiny student for these settings yet: training one on gold trajectories into {folder}")
    lessons = _lessons(config.env, config.retriever, cache_dir=cache_dir, found=found)
    overrides = [*_shape(tiny), *lessons.overrides, f"cache_dir='{cache_dir}'"]
    command = [sys.executable, "-m", "agentbench.train", *overrides]
    with_us = end_with_parent(signal.SIGTERM)  # a training that nobody waits for serves nobody
    done = subprocess.run(command, check=False, preexec_fn=with_us)
    if done.returncode != 0 or not (folder / "config.json").is_file():
        raise PreflightError("the tiny student could not be trained", shlex.join(["python", *command[1:]]))
    return folder


def student_folder(
    tiny: TinyModel, env: EnvConfig, retriever: RetrieverConfig, *, cache_dir: Path, found: tuple[World, ...]
) -> Path:
    """Where the tiny student of these settings is cached; the name holds a hash of all that shapes what it learns.

    Horizon, ablations of the interface and the engine that searches documents do not: runs that differ in them are
    runs of the same student.

    Raises:
        PreflightError: the environment has nothing to train a student on.
    """
    shape = [tiny.hidden_size, tiny.layers, tiny.heads, tiny.vocab_size]
    lessons = _lessons(env, retriever, cache_dir=cache_dir, found=found)
    learnt = [STUDENT_GENERATION, SftStage(), shape, *lessons.learnt]
    return cache_dir / "models" / f"tiny-{hashlib.sha256(orjson.dumps(learnt)).hexdigest()[:12]}"


def _lessons(env: EnvConfig, retriever: RetrieverConfig, *, cache_dir: Path, found: tuple[World, ...]) -> Lessons:
    match env:
        case M3Env():
            return _of_worlds(env, retriever, found)
        case FunctionCallEnv(format=CallFormat.XLAM):
            return _of_questions(env, cache_dir)
        case PlaygroundEnv():
            return _of_requests(env)
        case AppWorldEnv():
            return _of_code(env)
        case FunctionCallEnv():
            raise PreflightError("no tiny student is trained on NESTFUL, a public test", "model.path=<a student>")
        case _:
            problem = f"a tiny student is trained on worlds or on questions with functions, and env={env.kind} has none"
            named = "model=openai model.base_url=U model.name=M, or model.path=<folder of a student>"
            raise PreflightError(problem, f"{named}; expert_mode=ground_truth plays the gold calls without a model")


def _of_worlds(env: M3Env, retriever: RetrieverConfig, found: tuple[World, ...]) -> Lessons:
    seen = [env.tools, env.contract, env.earlier_turns, env.distractors, env.shown_values, retriever.top_k]
    seen.append(retriever.expose_top_k)
    names = ",".join(f"'{name}'" for name in env.worlds)
    overrides = [
        f"env.worlds=[{names}]",
        f"env.tools={env.tools.value}",
        f"env.distractors={env.distractors}",
        f"env.shown_values={env.shown_values}",
        f"env.contract={env.contract.value}",
        f"env.earlier_turns={env.earlier_turns.value}",
        f"retriever.top_k={retriever.top_k}",
        f"retriever.expose_top_k={retriever.expose_top_k}",
    ]
    return Lessons([seen, [world.manifest.fingerprint for world in found]], overrides)


def _of_questions(env: FunctionCallEnv, cache_dir: Path) -> Lessons:
    from agentbench.build.fields.function_call import content_hash

    learnt = ["function_call", content_hash(env, cache_dir), env.split_seed, env.train_share, env.tools_shown]
    overrides = [
        "env=function_call",
        f"env.split_seed={env.split_seed}",
        f"env.train_share={env.train_share}",
        f"env.tools_shown={'null' if env.tools_shown is None else env.tools_shown}",
        *([f"env.file='{env.file}'"] if env.file else []),
    ]
    return Lessons(learnt, overrides)


def _of_requests(env: PlaygroundEnv) -> Lessons:
    from agentbench.worlds.templated import SHIPPED

    path = env.requests or SHIPPED
    learnt = ["playground", dataclasses.asdict(env)["tools"], path.read_text(encoding="utf-8")]
    overrides = ["env=playground", *([f"env.requests='{path}'"] if env.requests else [])]
    return Lessons(
        [*learnt, env.requests_per_template], [*overrides, f"env.requests_per_template={env.requests_per_template}"]
    )


def _of_code(env: AppWorldEnv) -> Lessons:
    """The training tasks' gold code, whatever list is played."""
    from agentbench.tasks.appworld import DATASETS, read_appworld

    tasks = read_appworld(env.root, DATASETS[Split.TRAIN], env.difficulty)
    content = hashlib.sha256(orjson.dumps([task.turns for task in tasks])).hexdigest()
    difficulty = "null" if env.difficulty is None else env.difficulty
    overrides = [
        "env=appworld",
        f"env.root='{env.root}'",
        f"env.docs={env.docs.value}",
        f"env.difficulty={difficulty}",
        *([f"env.python='{env.python}'"] if env.python else []),
    ]
    return Lessons(["appworld", env.docs, content], overrides)


def _shape(tiny: TinyModel) -> list[str]:
    return [
        f"model.hidden_size={tiny.hidden_size}",
        f"model.layers={tiny.layers}",
        f"model.heads={tiny.heads}",
        f"model.vocab_size={tiny.vocab_size}",
    ]
