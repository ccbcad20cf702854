"""Answers kept on disk: asked once, paid once, and never a reason for a run to fail."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from agentbench.errors import LlmError, PreflightError
from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.cache import ANSWERS, CachedLlm, request_key
from agentbench.types import Generation, Usage

T = TypeVar("T")

REQUEST = Request(Prompt(messages=({"role": "user", "content": "secret plan"},)), Sampling(), seed=1, role="judge")
SCHEMA = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}


class Model:
    """Answers with its texts in order, the last one for ever; every answer costs 10 + 2 tokens."""

    def __init__(self, *texts: str, finish_reason: str = "stop", pause_s: float = 0.0) -> None:
        self.asked = self.finished = 0
        self.closed = False
        self._texts = list(texts)
        self._finish_reason = finish_reason
        self._pause_s = pause_s

    async def generate(self, request: Request) -> Generation:
        self.asked += 1
        await asyncio.sleep(self._pause_s)
        self.finished += 1
        text = self._texts.pop(0) if len(self._texts) > 1 else self._texts[0]
        if text == "fail":
            raise LlmError("the server is gone")
        return Generation(request.role, text, (1, 2), (3,), (-0.5,), self._finish_reason, Usage(10, 2, 4), 0.75)

    async def close(self) -> None:
        self.closed = True


def use(model: Model, folder: Path, ask: Callable[[CachedLlm], Awaitable[T]]) -> T:
    async def main() -> T:
        llm = CachedLlm(model, folder, "http://127.0.0.1/v1 m")
        try:
            return await ask(llm)
        finally:
            await llm.close()

    return asyncio.run(main())


def once(model: Model, folder: Path, request: Request = REQUEST) -> Generation:
    return use(model, folder, lambda llm: llm.generate(request))


def test_the_same_question_is_asked_and_paid_once(tmp_path: Path) -> None:
    model = Model("right", "something else")
    first, second = once(model, tmp_path), once(model, tmp_path, dataclasses.replace(REQUEST, role="expert"))
    assert (model.asked, model.closed) == (1, True)
    assert first.usage == Usage(10, 2, 4) and first.seconds == 0.75
    assert second == dataclasses.replace(first, role="expert", usage=Usage(), seconds=0.0)


CHANGES = (
    {"seed": 2},
    {"sampling": Sampling(temperature=0.5)},
    {"sampling": Sampling(max_tokens=5)},
    {"schema": {"type": "object"}},
    {"stop": ("x",)},
    {"prompt": Prompt(messages=({"role": "user", "content": "secret plans"},))},
    {"prompt": Prompt(text="secret plan")},
)


@pytest.mark.parametrize("change", CHANGES)
def test_another_question_has_another_key(change: dict[str, object]) -> None:
    assert request_key("m", dataclasses.replace(REQUEST, **change)) != request_key("m", REQUEST)
    assert request_key("m", REQUEST) != request_key("n", REQUEST)


@pytest.mark.parametrize(
    ("model", "request_"),
    [
        (Model("half a", finish_reason="length"), REQUEST),
        (Model("none of your business", finish_reason="content_filter"), REQUEST),
        (Model("  "), REQUEST),
        (Model("no object"), dataclasses.replace(REQUEST, schema=SCHEMA)),
        (Model('{"yes": 1}'), dataclasses.replace(REQUEST, schema=SCHEMA)),
    ],
)
def test_what_is_not_whole_or_has_not_the_form_is_not_kept(model: Model, request_: Request, tmp_path: Path) -> None:
    once(model, tmp_path, request_)
    assert once(model, tmp_path, request_).usage == Usage(10, 2, 4) and model.asked == 2


def test_what_has_the_form_is_kept_with_all_that_stands_around_it(tmp_path: Path) -> None:
    guided = dataclasses.replace(REQUEST, schema=SCHEMA)
    model = Model('```json\n{"yes": true}\n```')
    assert once(model, tmp_path, guided).completion == once(model, tmp_path, guided).completion and model.asked == 1


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    model = Model("fail", "right")
    with pytest.raises(LlmError, match="the server is gone"):
        once(model, tmp_path)
    assert once(model, tmp_path).completion == "right"


def test_equal_questions_at_once_are_asked_once_and_one_of_them_pays(tmp_path: Path) -> None:
    model = Model("right", "something else", pause_s=0.02)
    given = use(model, tmp_path, lambda llm: asyncio.gather(*(llm.generate(REQUEST) for _ in range(5))))
    assert model.asked == 1 and {generation.completion for generation in given} == {"right"}
    assert sum(generation.usage.prompt_tokens for generation in given) == 10


def test_a_failure_reaches_all_who_wait(tmp_path: Path) -> None:
    model = Model("fail", pause_s=0.02)
    asked = use(
        model, tmp_path, lambda llm: asyncio.gather(*(llm.generate(REQUEST) for _ in range(3)), return_exceptions=True)
    )
    assert model.asked == 1 and all(isinstance(failure, LlmError) for failure in asked)


async def started(llm: CachedLlm, model: Model, number: int) -> list[asyncio.Task[Generation]]:
    """That many askers of one question that has reached the model."""
    tasks = [asyncio.create_task(llm.generate(REQUEST)) for _ in range(number)]
    while not model.asked:
        await asyncio.sleep(0.001)
    return tasks


def test_one_who_gives_up_takes_nothing_from_the_others(tmp_path: Path) -> None:
    model = Model("right", pause_s=0.05)

    async def ask(llm: CachedLlm) -> Generation:
        first, second = await started(llm, model, 2)
        first.cancel()
        return await second

    given = use(model, tmp_path, ask)
    assert (given.completion, given.usage, model.asked) == ("right", Usage(10, 2, 4), 1)


def test_a_question_that_nobody_waits_for_is_given_up(tmp_path: Path) -> None:
    model = Model("right", pause_s=0.05)

    async def ask(llm: CachedLlm) -> None:
        for task in await started(llm, model, 2):
            task.cancel()
        await asyncio.sleep(0.1)
        assert (model.asked, model.finished) == (1, 0)
        assert (await llm.generate(REQUEST)).completion == "right"

    use(model, tmp_path, ask)


def test_the_file_holds_neither_questions_nor_the_model(tmp_path: Path) -> None:
    once(Model("right"), tmp_path)
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"right" in held and b"secret plan" not in held and b"127.0.0.1" not in held


def damage(folder: Path) -> None:
    (folder / ANSWERS).write_bytes(b"this is no database" * 1000)


def other_tables(folder: Path) -> None:
    with sqlite3.connect(folder / ANSWERS) as connection:
        connection.execute("CREATE TABLE answers (colour TEXT)")
    connection.close()


@pytest.mark.parametrize("spoil", [damage, other_tables])
def test_a_file_that_is_no_cache_is_set_aside(
    spoil: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(tmp_path)
    model = Model("right")
    assert [once(model, tmp_path).completion, once(model, tmp_path).completion] == ["right", "right"]
    assert "damaged cache" in caplog.text and len(list(tmp_path.glob("*.damaged-*"))) == 1
    once(model, tmp_path)
    assert model.asked < 3  # the new file works


def damage_unseen_pages(folder: Path) -> None:
    """Another process writes, so that open connections have to read the file anew, and then the file is spoilt."""
    other = sqlite3.connect(folder / ANSWERS)
    other.execute("INSERT INTO answers VALUES (x'00', x'00')")
    other.commit()
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    damage(folder)


def test_damage_in_the_middle_of_a_run_is_a_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = Model("right")

    async def ask(llm: CachedLlm) -> None:
        for seed in range(40):
            await llm.generate(dataclasses.replace(REQUEST, seed=seed))
            if seed == 20:
                damage_unseen_pages(tmp_path)

    use(model, tmp_path, ask)
    assert model.asked == 40 and [record.levelno for record in caplog.records] == [logging.WARNING]
    once(model, tmp_path, dataclasses.replace(REQUEST, seed=39))
    assert model.asked == 40


def test_an_answer_that_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    model = Model("right")
    once(model, tmp_path)
    with sqlite3.connect(tmp_path / ANSWERS) as connection:
        connection.execute("UPDATE answers SET answer = x'7b'")
    connection.close()
    assert once(model, tmp_path).usage == Usage(10, 2, 4) and once(model, tmp_path).usage == Usage()


def test_a_file_that_another_process_holds_is_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = Model("right")

    async def ask(llm: CachedLlm) -> str:
        holder = sqlite3.connect(tmp_path / ANSWERS)
        holder.execute("BEGIN EXCLUSIVE")
        given = await llm.generate(REQUEST)
        holder.close()
        return given.completion

    assert use(model, tmp_path, ask) == "right" and "database is locked" in caplog.text


def test_a_folder_that_cannot_be_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "llm").write_text("a file")
    with pytest.raises(PreflightError, match=r"answers-1.sqlite cannot be opened: File exists"):
        CachedLlm(Model("right"), tmp_path / "llm", "m")


def test_several_processes_share_one_cache(tmp_path: Path) -> None:
    script = str(Path(__file__).parent / "asking_cache.py")
    spans = (("0", "60"), ("30", "90"), ("0", "90"))
    started = [
        subprocess.Popen([sys.executable, script, str(tmp_path), *span], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for span in spans
    ]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in started]
    assert [(errors, code) for _, errors, code in ended] == [(b"", 0)] * 3
    assert 90 <= sum(int(out) for out, _, _ in ended) <= 210
    again = subprocess.run([sys.executable, script, str(tmp_path), "0", "90"], capture_output=True, check=True)
    assert again.stdout == b"0\n"
