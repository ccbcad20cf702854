"""One episode: its ends, its failures, its record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agentbench.envs import EnvStep, Restoring
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.types import Action, Decision, EndReason, Final, History, Observation, Score, Task, Trajectory

MakeTask = Callable[..., Task]
MakeParts = Callable[..., EpisodeParts]


def play(task: Task, parts: EpisodeParts, horizon: int = 10, timeout_s: float = 10.0) -> Trajectory:
    return asyncio.run(run_episode(task, parts, Limits(horizon, timeout_s), seed=7))


def test_an_answer_ends_the_episode_and_is_scored(make_task: MakeTask, make_parts: MakeParts) -> None:
    task = make_task("a", goal=3)
    parts = make_parts(task, 7)
    trajectory = play(task, parts)
    assert (trajectory.end, len(trajectory.history.steps), trajectory.success) == (EndReason.FINAL, 4, True)
    assert trajectory.evidence == {"count": 3, "closed": False} and trajectory.seed == 7 and trajectory.error == ""
    assert [step.observation.text for step in trajectory.history.steps] == ["1", "2", "3", ""]
    assert parts.env.evidence()["closed"]


def test_a_steps_reward_is_its_grade_plus_what_the_environment_pays(make_task: MakeTask, make_parts: MakeParts) -> None:
    task = make_task("a", goal=1)
    trajectory = play(task, make_parts(task, 0))
    assert [step.reward for step in trajectory.history.steps] == [0.25 + 0.5, 0.25 + 0.5]


def test_the_horizon_truncates_and_the_scorers_still_run(make_task: MakeTask, make_parts: MakeParts) -> None:
    task = make_task("endless")
    trajectory = play(task, make_parts(task, 0), horizon=5)
    assert (trajectory.end, trajectory.truncated, len(trajectory.history.steps)) == (EndReason.HORIZON, True, 5)
    assert [score.value for score in trajectory.scores] == [0.0]


def test_an_answer_in_the_last_step_within_the_horizon_counts(make_task: MakeTask, make_parts: MakeParts) -> None:
    task = make_task("a", goal=3)
    assert play(task, make_parts(task, 0), horizon=4).end is EndReason.FINAL


class OneStepEnv:
    """Ends after any step in the way it was told."""

    tools = ()
    restoring = Restoring.NEVER

    def __init__(self, end: EnvStep) -> None:
        self._end = end

    async def reset(self, task: Task) -> Observation:
        return Observation("go")

    async def step(self, action: Action) -> EnvStep:
        return self._end

    async def fork(self) -> OneStepEnv:
        raise NotImplementedError

    def evidence(self) -> dict[str, object]:
        return {}

    async def close(self) -> None:
        raise OSError("already gone")


@pytest.mark.parametrize(
    ("step", "end"),
    [
        (EnvStep(Observation(""), terminated=True), EndReason.ENV_DONE),
        (EnvStep(Observation(""), truncated=True), EndReason.HORIZON),
        (EnvStep(Observation(""), terminated=True, truncated=True), EndReason.ENV_DONE),
    ],
)
def test_the_environment_can_end_or_truncate(
    step: EnvStep, end: EndReason, make_task: MakeTask, make_parts: MakeParts
) -> None:
    task = make_task("a")
    assert play(task, make_parts(task, 0)._replace(env=OneStepEnv(step))).end is end


def test_an_environment_that_cannot_close_spoils_nothing_and_is_logged(
    make_task: MakeTask, make_parts: MakeParts, caplog: pytest.LogCaptureFixture
) -> None:
    task, env = make_task("a"), OneStepEnv(EnvStep(Observation(""), terminated=True))
    assert play(task, make_parts(task, 0)._replace(env=env)).error == ""
    assert "environment of episode a could not be closed" in caplog.text and "already gone" in caplog.text


def test_a_broken_environment_is_recorded_with_the_steps_so_far_and_no_score(
    make_task: MakeTask, make_parts: MakeParts, caplog: pytest.LogCaptureFixture
) -> None:
    task = make_task("broken-1")
    parts = make_parts(task, 0)
    trajectory = play(task, parts)
    assert (trajectory.end, trajectory.error) == (EndReason.ERROR, "RuntimeError: the counter jammed")
    assert len(trajectory.history.steps) == 2 and trajectory.scores == () and parts.env.evidence()["closed"]
    assert "Traceback" in caplog.text


def test_a_dead_model_server_is_recorded_without_a_traceback(
    make_task: MakeTask, make_parts: MakeParts, caplog: pytest.LogCaptureFixture
) -> None:
    task = make_task("dead-1")
    assert play(task, make_parts(task, 0)).error == "LlmError: no answer from http://127.0.0.1:1/v1"
    assert caplog.text == ""


def test_a_timeout_keeps_the_steps_done(make_task: MakeTask, make_parts: MakeParts) -> None:
    task = make_task("hanging-1")
    parts = make_parts(task, 0)
    trajectory = play(task, parts, timeout_s=0.05)
    assert (trajectory.end, trajectory.error) == (EndReason.ERROR, "EpisodeTimeout: not finished after 0.05 s")
    assert len(trajectory.history.steps) == 2 and parts.env.evidence()["closed"]


class Raising:
    """A policy that fails in one way."""

    def __init__(self, failure: BaseException) -> None:
        self._failure = failure

    async def act(self, history: History) -> Decision:
        raise self._failure


@pytest.mark.parametrize("failure", [TimeoutError("read timed out"), asyncio.CancelledError("connection closed")])
def test_a_policys_own_timeout_or_cancelled_future_is_its_failure(
    failure: BaseException, make_task: MakeTask, make_parts: MakeParts
) -> None:
    task = make_task("a")
    trajectory = play(task, make_parts(task, 0)._replace(policy=Raising(failure)))
    assert trajectory.error == f"{type(failure).__name__}: {failure}"


def test_cancelling_an_episode_is_not_swallowed_and_closes_the_environment(
    make_task: MakeTask, make_parts: MakeParts
) -> None:
    task = make_task("hanging-1")
    parts = make_parts(task, 0)

    async def cancelled() -> None:
        running = asyncio.create_task(run_episode(task, parts, Limits(10, 60.0), 0))
        await asyncio.sleep(0.02)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancelled())
    assert parts.env.evidence()["closed"]


def test_a_reward_that_is_no_number_ends_the_episode(make_task: MakeTask, make_parts: MakeParts) -> None:
    task = make_task("a")
    env = OneStepEnv(EnvStep(Observation(""), reward=float("nan")))
    error = play(task, make_parts(task, 0)._replace(env=env)).error
    assert error == "ValueError: step 1 was given the reward nan, which is not a number"


class BrokenScorer:
    """A scorer with a bug."""

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        raise KeyError("gold")


def test_a_scorers_bug_is_recorded_beside_the_steps(make_task: MakeTask, make_parts: MakeParts) -> None:
    task = make_task("a", goal=0)
    trajectory = play(task, make_parts(task, 0)._replace(scorers=(BrokenScorer(),)))
    assert (trajectory.end, trajectory.error) == (EndReason.ERROR, "KeyError: 'gold'")
    assert isinstance(trajectory.history.steps[0].decision.action, Final)
