"""AppWorld's real engine on worlds made here: `make appworld` once, then `make test-appworld`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from agentbench.build.fields.appworld import appworld_field
from agentbench.build.runs import step_grader
from agentbench.config.env_appworld import AppWorldEnv, Docs
from agentbench.config.rewards import RewardsConfig
from agentbench.config.source import TaskCounts
from agentbench.config.tasks import Split, TasksConfig
from agentbench.envs.code_env import CodeEnv
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.episodes.store import read_trajectories
from agentbench.errors import ToolServerError
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.probes import Idle
from agentbench.scoring.environment import EnvironmentScorer
from agentbench.tools.code.appworld import AppWorldProcess, World, WorldLimits
from agentbench.types import CallTools, Outcome, Task, ToolCall, Trajectory
from agentbench.worlds.payments.root import write_root
from tests.end_to_end.conftest import ROOT, Run, environment

PYTHON = Path(os.environ.get("AGENTBENCH_APPWORLD_PYTHON", ROOT / ".venv-appworld/bin/python"))
pytestmark = [
    pytest.mark.appworld,
    pytest.mark.skipif(not PYTHON.is_file(), reason=f"no AppWorld in {PYTHON.parent.parent}: make appworld"),
]

LIMITS = WorldLimits(timeout_s=3.0, longest_output=5000, memory_gib=2.0, at_once=4)
TASK = "test0000_1"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenarios to test and one to train on, three tasks each."""
    folder = tmp_path_factory.mktemp("appworld")
    write_root(PYTHON, folder, TaskCounts(train=1, validation=0, test=2), seed=0)
    return folder


Another = Callable[[WorldLimits], "Engine"]


class Engine:
    """A process with worlds, and the loop it belongs to; a new one takes some seconds."""

    def __init__(self, root: Path, limits: WorldLimits = LIMITS) -> None:
        self._runner = asyncio.Runner()
        self.process = AppWorldProcess(PYTHON, root, limits)

    def use(self, do: Callable[[AppWorldProcess], Awaitable[Any]]) -> Any:
        """What a coroutine function makes of it."""

        async def main() -> Any:
            return await do(self.process)

        return self._runner.run(main())

    def run_code(self, *codes: str) -> list[Any]:
        """What pieces of code print in one world."""

        async def do(process: AppWorldProcess) -> list[Any]:
            world = await process.open(TASK)
            found = [await world.execute(code) for code in codes]
            await world.close()
            return found

        return self.use(do)

    def stop(self) -> None:
        self.process.stop()
        self._runner.close()


@pytest.fixture(scope="module")
def engine(root: Path) -> Iterator[Engine]:
    """One that tests share; none of them may stop it."""
    engine = Engine(root)
    yield engine
    engine.stop()


@pytest.fixture
def another(root: Path) -> Iterator[Another]:
    """Makes further ones, with limits of their own."""
    made: list[Engine] = []

    def make(limits: WorldLimits = LIMITS) -> Engine:
        made.append(Engine(root, limits))
        return made[-1]

    yield make
    for engine in made:
        engine.stop()


def settings(root: Path) -> tuple[str, ...]:
    return ("env=appworld", f"env.root='{root}'", f"env.python='{PYTHON}'", "env.docs=none")


def test_gold_solves_every_task_and_scenario_and_doing_nothing_passes_some_tests(
    run: Run, root: Path, tmp_path: Path
) -> None:
    ended = run("eval", *settings(root), "expert_mode=ground_truth", "hydra.run.dir=played")
    assert ended.code == 0, ended.err
    told = orjson.loads((tmp_path / "played" / "statistics.json").read_bytes())
    agent, idle = told["run"], told["baselines"]["idle"]
    assert (agent["success"]["count"], agent["families"]["count"], agent["families"]["n"]) == (6, 2, 2)
    assert (idle["success"]["count"], idle["families"]["count"]) == (0, 0)
    # a task has two tests, or three where a note is asked for; one of them is that nothing else is touched
    assert 1 / 3 <= idle["scores"]["tests"]["value"] <= 1 / 2 and agent["scores"]["tests"]["value"] == 1


def test_a_model_plays_and_is_judged(run: Run, root: Path, student: Path, tmp_path: Path) -> None:
    model = (f"model.path={student}", "model.max_tokens=12", "env.horizon=2", "tasks.limit=3")
    ended = run("eval", *settings(root), *model, "hydra.run.dir=played")
    assert ended.code == 0, ended.err
    played = list(read_trajectories(tmp_path / "played" / "trajectories.jsonl"))
    assert len(played) == 3 and not any(each.success for each in played)
    assert all(each.evidence["verdict"]["solved"] is False and each.error == "" for each in played)
    assert len({each.task.data["family"] for each in played}) == 1, "whole scenarios are drawn"


@pytest.fixture(scope="module")
def gold(root: Path) -> list[Trajectory]:
    """Both experts' episodes of the training tasks: the gold chain's, and that of one who does nothing."""

    async def play() -> list[Trajectory]:
        config = AppWorldEnv(root=root, python=PYTHON, docs=Docs.NONE)
        field = appworld_field(config, TasksConfig(split=Split.TRAIN), seed=0)
        await field.preflight()
        try:
            return [
                await run_episode(task, parts(field.environment(task), task, idle), Limits(10, 60.0), 0)
                for task in field.tasks
                for idle in (False, True)
            ]
        finally:
            await field.close()

    def parts(env: Any, task: Task, idle: bool) -> EpisodeParts:
        policy = Idle() if idle else GoldExpert(task)
        return EpisodeParts(env, policy, step_grader(RewardsConfig()), (EnvironmentScorer(),))

    return asyncio.run(play())


def test_gold_is_graded_step_by_step_and_ends_by_completing(gold: list[Trajectory]) -> None:
    for solved, idle in zip(gold[::2], gold[1::2], strict=True):
        assert solved.success and solved.end == "env_done" and not idle.success
        assert {step.category for step in solved.history.steps} == {"gold_call"}
        assert [step.category for step in idle.history.steps] == ["unjudged_final"]


@pytest.mark.parametrize(("form", "shape"), [("json", "stepwise"), ("markdown", "conversation")])
def test_rows_of_both_shapes_train_an_adapter(
    form: str, shape: str, run: Run, root: Path, student: Path, tmp_path: Path
) -> None:
    rolled = run("rollout", *settings(root), "expert_mode=ground_truth", "tasks.split=train", "hydra.run.dir=gold")
    assert rolled.code == 0, rolled.err
    agent = ("agent=coder", f"agent.writes={form}")
    files = ("trajectories=[gold/trajectories.jsonl]", f"tokenizer={student}", "hydra.run.dir=rows")
    built = run("build_prefs", "prefs=sft", f"prefs.shape={shape}", *agent, *files)
    assert built.code == 0, built.err
    rows = [orjson.loads(line) for line in (tmp_path / "rows" / "rows.jsonl").read_bytes().splitlines()]
    assert len(rows) == (12 if shape == "stepwise" else 3)  # three tasks of four steps
    model = (f"model.path={student}", "template=tiny", "rows=[rows/rows.jsonl]", "stage.epochs=1")
    trained = run("train", "experiment=appworld_sft_lora", f"env.root='{root}'", *model, "hydra.run.dir=adapter")
    assert trained.code == 0, trained.err
    assert (tmp_path / "adapter" / "adapter" / "adapter_model.safetensors").is_file()


def test_execution_is_rewarded_in_training(run: Run, root: Path, student: Path, tmp_path: Path) -> None:
    size = ("stage.steps=1", "stage.tasks_per_step=2", "stage.group_size=2", "stage.drop_equal_groups=false")
    model = (f"model.path={student}", "template=tiny", "agent.max_tokens=12", "env.horizon=2")
    ended = run("train", "experiment=appworld_grpo", *settings(root)[1:], *model, *size, "hydra.run.dir=grpo")
    assert ended.code == 0, ended.err
    (line, *_) = (tmp_path / "grpo" / "metrics.jsonl").read_bytes().splitlines()
    # this student writes nothing that can be run: two steps of -1, each weighted 0.0125
    assert orjson.loads(line)["reward"] == pytest.approx(-0.025)


def test_the_same_code_is_answered_alike_by_another_process(engine: Engine, another: Another) -> None:
    codes = (
        "print(apis.supervisor.show_account_passwords())",
        'token = apis.venmo.login(username=apis.supervisor.show_profile()["email"], password="wrong")',
        'password = apis.supervisor.show_account_passwords()[0]["password"]\n'
        'email = apis.supervisor.show_profile()["email"]\n'
        "print(apis.venmo.login(username=email, password=password))",
        "print({str(each) for each in range(20)}, random.random(), DateTime.now())",
    )
    first, second = engine.run_code(*codes), another(LIMITS).run_code(*codes)
    assert first == second and [each.failed for each in first] == [False, True, False, False]


HARMFUL = {
    "an error": ("1/0", "ZeroDivisionError"),
    "no Python": ("x = ", "Syntax error"),
    "a NUL": ("x = '\x00'", "null bytes"),
    "leaving": ("raise SystemExit", "failed"),
    "an interruption": ("raise KeyboardInterrupt", "cannot be left"),
    "the system": ("import os\nos.system('true')", "not allowed"),
    "a file": ("open('/etc/passwd')", "not allowed"),
    "too much memory": ("x = bytearray(10**10)", "MemoryError"),
    "too deep": ("(" * 500 + ")" * 500, "failed"),
}


@pytest.mark.parametrize(("code", "told"), HARMFUL.values(), ids=HARMFUL)
def test_harmful_code_fails_and_the_session_goes_on(code: str, told: str, engine: Engine) -> None:
    failed, after = engine.run_code(code, "print(6 * 7)")
    assert failed.failed and told in failed.text and not failed.completed
    assert (after.text, after.failed) == ("42", False)


def test_code_that_takes_too_long_is_stopped(engine: Engine) -> None:
    began = time.monotonic()
    stopped, after = engine.run_code("while True: pass", "print(1)")
    assert stopped.failed and "timed out after 3 seconds" in stopped.text and after.text == "1"
    assert time.monotonic() - began < 60


def test_long_output_is_cut(engine: Engine) -> None:
    (seen,) = engine.run_code("print('a' * 9000)")
    assert seen.text == "a" * 5000 + "\n… (4001 more characters)"  # with the line's end


def test_code_sees_no_secret_of_whoever_runs_it(another: Another, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    (seen,) = another(LIMITS).run_code("import os\nprint(dict(os.environ))")
    assert "HOME" in seen.text and "secret" not in seen.text


def test_two_worlds_of_one_task_know_nothing_of_each_other(engine: Engine) -> None:
    async def do(process: AppWorldProcess) -> list[str]:
        first, second = await process.open(TASK), await process.open(TASK)
        await first.execute("x = 1\napis.supervisor.complete_task()")
        told = [await world.execute("print('x' in globals())") for world in (first, second)]
        await asyncio.gather(first.close(), second.close())
        return [f"{each.text} {each.completed}" for each in told]

    assert engine.use(do) == ["True True", "False False"]


def test_a_world_whose_process_dies_is_one_episode_s_failure(engine: Engine) -> None:
    async def do(process: AppWorldProcess) -> Any:
        lost, other = await process.open(TASK), await process.open("test0001_1")
        os.kill(lost._process, signal.SIGKILL)
        with pytest.raises(ToolServerError, match=r"AppWorld's process (ended|was lost)"):
            await lost.execute("print(1)")
        seen = await other.execute("print(1)")
        await asyncio.gather(lost.close(), other.close())
        return seen.text

    assert engine.use(do) == "1"


def test_a_world_that_hangs_is_killed(engine: Engine) -> None:
    async def do(process: AppWorldProcess) -> int:
        world = await process.open(TASK)
        os.kill(world._process, signal.SIGSTOP)
        with pytest.raises(ToolServerError, match="did not answer within"):
            await world._ask({"do": "execute", "code": "1"}, 0.2)
        await world.close()
        return world._process

    assert is_gone(engine.use(do))


def test_more_worlds_than_may_be_open_wait(another: Another) -> None:
    async def do(process: AppWorldProcess) -> tuple[bool, bool]:
        first = await process.open(TASK)
        waiting = asyncio.create_task(process.open(TASK))
        await asyncio.sleep(0.5)
        waited = not waiting.done()
        await first.close()
        second = await waiting
        await second.close()
        return waited, isinstance(second, World)

    assert another(LIMITS._replace(at_once=1)).use(do) == (True, True)


def test_a_task_that_is_not_there_is_told(engine: Engine) -> None:
    async def do(process: AppWorldProcess) -> None:
        with pytest.raises(ToolServerError, match=r"could not open: .* doesn't exist"):
            await process.open("nowhere_1")

    engine.use(do)


def test_an_interpreter_without_appworld_is_one_line(run: Run, root: Path) -> None:
    ended = run("eval", *settings(root)[:2], f"env.python='{sys.executable}'", "expert_mode=ground_truth")
    assert ended.code == 5 and "cannot load AppWorld: ModuleNotFoundError" in ended.err
    assert "next: make appworld" in ended.err and "Traceback" not in ended.err


def test_replayed_steps_lead_to_the_same_state(engine: Engine, gold: list[Trajectory]) -> None:
    steps = gold[0].history.steps

    async def do(process: AppWorldProcess) -> list[str]:
        env = CodeEnv(process.open, Docs.NONE, 10)
        await env.reset(gold[0].task)
        seen = [(await env.step(step.decision.action)).observation.text for step in steps]
        await env.close()
        return seen

    assert engine.use(do) == [step.observation.text for step in steps]


def test_an_unknown_list_names_those_that_there_are(run: Run, root: Path) -> None:
    ended = run("eval", *settings(root), "env.dataset=trian", "expert_mode=ground_truth")
    assert ended.code == 5 and "env.dataset='trian'" in ended.err and "did you mean 'train'?" in ended.err


CHILD = """
import asyncio, sys, time
from pathlib import Path
from agentbench.tools.code.appworld import AppWorldProcess, WorldLimits
async def main():
    process = AppWorldProcess(Path(sys.argv[1]), Path(sys.argv[2]), WorldLimits(3, 100, 2.0, 1))
    world = await process.open(sys.argv[3])
    print(process._process.pid, world._process, process._folder, flush=True)
    time.sleep(600)
asyncio.run(main())
"""


@pytest.fixture
def killed(root: Path) -> Iterator[list[str]]:
    """Processes and folder of a run that was killed outright."""
    line = [sys.executable, "-c", CHILD, str(PYTHON), str(root), TASK]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT) as running:
        assert running.stdout is not None
        told = running.stdout.readline().split()
        running.kill()
    yield told


def test_nothing_is_left_of_a_run_that_is_killed(killed: list[str]) -> None:
    server, world, folder = killed
    assert is_gone(int(server)) and is_gone(int(world))
    assert not Path(folder).exists()


def is_gone(process: int) -> bool:
    """Whether a process ends within some seconds."""
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{process}/stat").read_text().split(") ")[1].startswith("Z"):
            return True
        time.sleep(0.1)
    return False


def test_calls_are_graded_by_what_they_came_to(engine: Engine) -> None:
    async def do(process: AppWorldProcess) -> list[Outcome]:
        env = CodeEnv(process.open, Docs.APPS, 10)
        await env.reset(gold_task())
        codes = ("print(1)", "1/0", "print(1)")
        steps = [await env.step(CallTools((ToolCall("python", {"code": code}),))) for code in codes]
        await env.close()
        return [step.observation.outcome for step in steps]

    def gold_task() -> Task:
        return Task(TASK, "appworld", "appworld", ())

    assert engine.use(do) == [Outcome.OK, Outcome.TOOL_ERROR, Outcome.OK]
