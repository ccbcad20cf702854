"""Runs whose episodes are played by workers on a Ray cluster, and all others.

The configuration is composed once, here; every worker builds worlds, models and experts from it on its own side. Only
trajectories come back, one by one as they end, as the lines that are stored. This process alone writes the run's
folder. Ray is given no more than one process per worker to keep: what is played where is `episodes.crew`'s affair.
"""

# Ray is an extra, and large: type checks do not need it.
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import signal
import socket
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.build import Report
from agentbench.build.actors import llm_judge
from agentbench.build.agent import weights_of
from agentbench.build.cast import Cast, needs_agent
from agentbench.build.runs import Rollout, assembled, field_of, rollout
from agentbench.config.cluster import RayLauncher
from agentbench.config.entry import RolloutConfig
from agentbench.config.launcher import SingleLauncher
from agentbench.config.llm_actors import LlmJudge
from agentbench.config.model import TinyModel
from agentbench.episodes.crew import Crew, WorkerLost
from agentbench.episodes.encoding import decode, encode
from agentbench.episodes.run_episode import failed
from agentbench.episodes.run_tasks import Here, episode_seed
from agentbench.errors import AgentbenchError, PreflightError
from agentbench.types import Task, Trajectory
from agentbench.worlds.manifest import World

LOCAL_STORE_BYTES = 128 * 2**20
"""Memory of a local cluster for what is on its way between processes."""

_log = logging.getLogger(__name__)


def launched(config: RolloutConfig, report: Report) -> Rollout:
    """A run on the launcher of its configuration.

    Raises:
        PreflightError, DataError: something the run needs is missing or broken.
    """
    match config.launcher:
        case SingleLauncher():
            return rollout(config, report)
        case RayLauncher() as launcher:
            return _on_ray(config, launcher, report)


def _on_ray(config: RolloutConfig, launcher: RayLauncher, report: Report) -> Rollout:
    """Worlds and tasks are opened here as well: they say what is to be played, and that workers play the same.

    Of models only the judge: there are scorers that are nothing without one.
    """
    if find_spec("ray") is None:
        raise PreflightError("launcher=ray needs Ray, which is not installed", "pip install 'agentbench[ray]'")
    field = field_of(config, report)
    if isinstance(config.model, TinyModel) and needs_agent(config):
        student = weights_of(config, field.worlds, report).path  # trained once, before any worker asks for it
        config = dataclasses.replace(config, model=dataclasses.replace(config.model, path=Path(student).resolve()))
    judge = llm_judge(config.judge, config.scorer, config.cache_dir) if isinstance(config.judge, LlmJudge) else None
    here = assembled(config, field, Cast(judge=judge))
    return here._replace(crew=partial(_crew, config, launcher, field.worlds, report))


@asynccontextmanager
async def _crew(
    config: RolloutConfig, launcher: RayLauncher, worlds: tuple[World, ...], report: Report
) -> AsyncIterator[Crew]:
    """The workers, for as long as the context lasts."""
    report(f"ray: {launcher.workers} workers on {_called(launcher.address)}")
    with _connected(launcher):
        start = partial(_worker, config, launcher, _fingerprints(worlds))
        seed_of = partial(episode_seed, config.seed)
        async with Crew(start, launcher.workers, seed_of, report) as crew:
            yield crew


def _called(address: str) -> str:
    return "this machine" if address == "local" else f"the cluster at {address}"


@contextmanager
def _connected(launcher: RayLauncher) -> Iterator[None]:
    """The connection to the cluster; a local one is started and ended.

    Raises:
        PreflightError: there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if launcher.address == "local":
        # Keeps Ray on loopback, as where clusters of several machines are not supported; read when Ray is imported.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    import ray

    where: dict[str, Any] = {"address": launcher.address}
    if launcher.address == "local":
        where |= {"num_cpus": launcher.workers * launcher.cpus, "object_store_memory": LOCAL_STORE_BYTES}
        where |= {"include_dashboard": False}
    before = signal.getsignal(signal.SIGTERM)
    try:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what matters is raised as well
                ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            problem = f"no Ray cluster at launcher.address={launcher.address!r}: {_first_line(error)}"
            raise PreflightError(problem, _advice(launcher.address)) from error
        finally:
            signal.signal(signal.SIGTERM, before)  # Ray puts one of its own in place
        yield
    finally:
        ray.shutdown()


def _advice(address: str) -> str:
    if address.startswith("ray://"):
        return "see that it runs there; where it wants a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
    return "ray start --head, or launcher.address=local"


async def _worker(config: RolloutConfig, launcher: RayLauncher, fingerprints: dict[str, str]) -> _RayWorker:
    """A worker that has built all it needs.

    Raises:
        PreflightError: it cannot, or has other worlds or another agentbench.
        WorkerLost: it ended meanwhile.
    """
    import ray

    # One for each episode that may be under way here, if all others are lost, and one for what else is asked.
    limits = {"max_concurrency": config.concurrency + 1, "num_cpus": launcher.cpus, "num_gpus": launcher.gpus}
    remote: Any = ray.remote(_Actor)
    actor: Any = remote.options(**limits).remote()
    try:
        async with asyncio.timeout(launcher.start_timeout_s):
            ready = await _asked(actor.start.remote(config, str(Path.cwd())))
    except TimeoutError:
        ray.kill(actor)
        need = f"{launcher.cpus} CPUs" + (f" and {launcher.gpus:g} GPUs" if launcher.gpus else "")
        problem = f"a worker was not ready after {launcher.start_timeout_s:g} s; each needs {need}"
        raise PreflightError(problem, "lower launcher.workers, or add machines to the cluster") from None
    if ready.problem:
        raise PreflightError(f"the worker {ready.name}: {ready.problem}", ready.next_step)
    if ready.agentbench != version("agentbench"):
        raise PreflightError(
            f"the worker {ready.name} has agentbench {ready.agentbench}", "install the same everywhere"
        )
    differ = [name for name, fingerprint in fingerprints.items() if ready.worlds.get(name) != fingerprint]
    if differ:
        raise PreflightError(f"the worker {ready.name} has another world {differ[0]!r}", "share cache_dir with it")
    return _RayWorker(actor, ready.name)


class Ready(NamedTuple):
    """What a worker says once it has built all it needs, or found that it cannot."""

    name: str
    agentbench: str
    worlds: dict[str, str]
    """Fingerprints by name."""
    problem: str = ""
    next_step: str = ""


class _RayWorker:
    """A worker as this process knows it."""

    def __init__(self, actor: Any, name: str) -> None:
        self._actor = actor
        self.name = name

    async def play(self, task: Task, sample: int) -> Trajectory:
        return decode(await _asked(self._actor.play.remote(task, sample)))

    async def close(self) -> None:
        import ray
        from ray.exceptions import RayError

        with suppress(RayError):
            ray.kill(self._actor)


async def _asked(answer: Any) -> Any:
    """What a worker answers.

    Raises:
        WorkerLost: it is gone.
        AgentbenchError: it has a bug.
    """
    from ray.exceptions import RayActorError, RayError, RayTaskError

    try:
        return await answer
    except RayActorError as error:
        raise WorkerLost(_why(error)) from error
    except RayTaskError as error:
        _log.error("a worker failed", exc_info=error)
        problem = f"this is a bug of agentbench, in a worker: {type(error.cause).__name__}: {_first_line(error.cause)}"
        raise AgentbenchError(problem) from error
    except RayError as error:
        raise WorkerLost(f"{type(error).__name__}: {_first_line(error)}") from error


class _Actor:
    """A worker as Ray keeps it: a process with worlds and models of its own."""

    async def start(self, config: RolloutConfig, folder: str) -> Ready:
        """Builds all that episodes need, in the driver's folder where this machine has it."""
        name = f"{os.getpid()} on {socket.gethostname()}"
        if Path(folder).is_dir():
            os.chdir(folder)
        try:
            built = rollout(config, _log.info)
            self._player = Here(built.make, built.settings)
            self._open = built.opened()
            await self._open.__aenter__()
        except AgentbenchError as error:
            return Ready(name, version("agentbench"), {}, str(error), error.next_step)
        return Ready(name, version("agentbench"), _fingerprints(built.field.worlds))

    async def play(self, task: Task, sample: int) -> bytes:
        """One episode as a line of JSON."""
        trajectory = await self._player.play(task, sample)
        try:
            return encode(trajectory)
        except TypeError as failure:  # evidence without a JSON form, as in a run of this process
            return encode(failed(task, failure, trajectory.seed, sample))


def _fingerprints(worlds: tuple[World, ...]) -> dict[str, str]:
    return {world.manifest.name: world.manifest.fingerprint for world in worlds}


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")[:300]


def _why(error: BaseException) -> str:
    """The end of Ray's account of a death that is for people."""
    lines = [line.strip() for line in str(error).splitlines() if "exit" in line.lower() or "died" in line.lower()]
    return (lines[-1] if lines else _first_line(error))[:200]
