"""A transformers model that runs in this process, behind the same protocol as a server.

One worker thread draws tokens for all requests under way at once; a request joins them when it comes (see `hf_batch`).
What is recorded does not depend on the company a request had if the model computes in float64; in float32 and below,
rounding can tip a close choice.

PyTorch's number of threads is the caller's to set (`torch.set_num_threads`), once for the process: one is best for
models of a few hundred thousand parameters.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from transformers import PreTrainedModel

from agentbench.errors import LlmError
from agentbench.llm import Request
from agentbench.llm.grammar import Guides
from agentbench.llm.hf_batch import Batch
from agentbench.llm.hf_rows import Decode, Drawn, Job, Row
from agentbench.types import Generation, Usage

GATHER_S = 0.002
"""How long the first request waits for company."""


@dataclass
class _Asked:
    row: Row
    answer: asyncio.Future[Drawn]
    joined: float = 0.0
    """When it was taken in, on the clock of `time.perf_counter`."""


class HfLlm:
    """An `Llm` over a causal language model; prompts must carry token ids."""

    def __init__(
        self,
        model: PreTrainedModel,
        decode: Decode,
        stop_ids: Sequence[int],
        *,
        max_batch: int,
        prefix_bytes: int,
        guides: Guides | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        """`decode` gives the text of ids, control tokens included; any of `stop_ids` ends a completion.

        `guides` hold completions to a request's schema; without them such requests are refused.

        At most `max_batch` requests are under way at once; `prefix_bytes` is the memory for beginnings of prompts.
        `report` gets a line on the speed when the model is closed.
        """
        self._guides = guides
        self._report = report
        self._decode = decode
        self._stop_ids = frozenset(stop_ids)
        self._stop_texts = frozenset(decode([index]) for index in stop_ids)
        self._max_batch = max_batch
        self._context: int = model.config.max_position_embeddings
        self._vocabulary: int = model.config.vocab_size
        self._batch = Batch(model, prefix_bytes)
        self._worker = ThreadPoolExecutor(1, "hf")
        self._waiting: list[_Asked] = []
        self._under_way: list[_Asked] = []
        self._serving: asyncio.Task[None] | None = None
        self._closed = False
        self._tokens, self._busy_s = 0, 0.0

    async def generate(self, request: Request) -> Generation:
        """The completion of one request; cut, with finish reason `length`, where the context ends.

        Raises:
            LlmError: the prompt has no ids, none for this model, or too many; it cannot be held to its schema; or the
                model failed.
        """
        started = time.perf_counter()
        row = Row(self._job(request), self._stop_ids, self._decode)
        asked = _Asked(row, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        drawn = await asked.answer
        return Generation(
            role=request.role,
            completion=drawn.text,
            prompt_ids=request.prompt.ids,
            completion_ids=drawn.ids,
            logprobs=drawn.logprobs,
            finish_reason=drawn.finish_reason,
            usage=Usage(len(request.prompt.ids), len(drawn.ids)),
            seconds=time.perf_counter() - started,
            queue_seconds=asked.joined - started,
        )

    async def close(self) -> None:
        """Ends the worker thread; requests under way are given up."""
        self._closed = True
        if self._serving is not None:
            self._serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._serving
        await asyncio.to_thread(self._worker.shutdown)
        if self._report is not None and self._tokens:
            speed = self._tokens / self._busy_s
            self._report(f"in process: {speed:.0f} tokens/s; for large runs use serve=vllm")

    def _job(self, request: Request) -> Job:
        ids = request.prompt.ids
        room = self._context - len(ids)
        if self._closed:
            raise LlmError("the model was closed")
        if not ids:
            raise LlmError("a model in this process needs token ids", "use a template with a tokenizer, not teacher")
        if request.schema is not None and self._guides is None:
            raise LlmError("a model in this process cannot be held to a JSON Schema", "use a model behind a server")
        if room < 1:
            problem = f"the prompt has {len(ids)} tokens and the model's context {self._context}"
            raise LlmError(problem, "lower env.horizon or env.shown_values")
        if max(ids) >= self._vocabulary:
            problem = f"token {max(ids)} is beyond the model's vocabulary of {self._vocabulary}"
            raise LlmError(problem, "set template.tokenizer to the model's own")
        stop = tuple(text for text in request.stop if text not in self._stop_texts)
        guide = self._guides.guide(request.schema) if self._guides and request.schema is not None else None
        return Job(ids, request.sampling, request.seed, min(request.sampling.max_tokens, room), stop, guide)

    async def _serve(self) -> None:
        """Draws until nobody waits."""
        try:
            await asyncio.sleep(GATHER_S)
            while self._waiting or self._under_way:
                newcomers = self._newcomers()
                self._under_way += newcomers
                await self._draw([asked.row for asked in newcomers])
        finally:
            for asked in (*self._waiting, *self._under_way):
                asked.answer.cancel()

    def _newcomers(self) -> list[_Asked]:
        self._waiting = [asked for asked in self._waiting if not asked.answer.done()]
        room = self._max_batch - len(self._under_way) if self._batch.takes_rows else 0
        newcomers = self._waiting[:room]
        del self._waiting[:room]
        for asked in newcomers:
            asked.joined = time.perf_counter()
        return newcomers

    async def _draw(self, newcomers: Sequence[Row]) -> None:
        """Draws for a while, and answers those whose completion is there."""
        failure = None
        started = time.perf_counter()
        try:
            await asyncio.get_running_loop().run_in_executor(self._worker, self._advance, newcomers)
        except Exception as error:  # whatever the model does is recorded with each request it was asked for
            failure = LlmError(f"the model failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
            self._batch.clear()
        self._busy_s += time.perf_counter() - started
        over = [asked for asked in self._under_way if failure or asked.row.drawn]
        self._under_way = [asked for asked in self._under_way if not failure and not asked.row.drawn]
        for asked in over:
            self._answer(asked, failure)

    def _advance(self, newcomers: Sequence[Row]) -> None:
        """In the worker thread: takes rows in, and draws until one is finished or others are to be taken in."""
        rows = [asked.row for asked in self._under_way]
        if newcomers:
            self._batch.admit(newcomers)
        while rows and not any(row.drawn for row in rows) and not self._interrupted():
            self._batch.step()

    def _interrupted(self) -> bool:
        somebody = self._waiting and self._batch.takes_rows and len(self._under_way) < self._max_batch
        return bool(somebody) or self._closed

    def _answer(self, asked: _Asked, failure: LlmError | None) -> None:
        drawn = asked.row.drawn
        self._tokens += len(drawn.ids) if drawn else 0
        if asked.answer.done():
            return
        if drawn is not None:
            asked.answer.set_result(drawn)
        else:
            asked.answer.set_exception(failure or LlmError("the model gave no completion"))
