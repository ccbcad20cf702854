"""A transformers model that runs in this process, behind the same protocol as a server.

Requests that are waiting are answered together, by one worker thread; those that come meanwhile form the next batch.
What is recorded does not depend on the company a request had if the model computes in float64 (see `hf_batch`); in
float32 and below, rounding can tip a close choice.

PyTorch's number of threads is the caller's to set (`torch.set_num_threads`), once for the process: one is best for
models of a few hundred thousand parameters.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from transformers import PreTrainedModel

from agentbench.errors import LlmError
from agentbench.llm import Request
from agentbench.llm.hf_batch import Decode, Drawn, Job, Row, complete
from agentbench.types import Generation, Usage

GATHER_S = 0.002
"""How long the first waiting request waits for company."""


class _Waiting(NamedTuple):
    request: Request
    job: Job
    answer: asyncio.Future[Drawn]


class HfLlm:
    """An `Llm` over a causal language model; prompts must carry token ids."""

    def __init__(self, model: PreTrainedModel, decode: Decode, stop_ids: Sequence[int], *, max_batch: int) -> None:
        """`decode` gives the text of ids, control tokens included; any of `stop_ids` ends a completion."""
        self._model = model
        self._decode = decode
        self._stop_ids = frozenset(stop_ids)
        self._stop_texts = frozenset(decode([index]) for index in stop_ids)
        self._max_batch = max_batch
        self._context: int = model.config.max_position_embeddings
        self._vocabulary: int = model.config.vocab_size
        self._worker = ThreadPoolExecutor(1, "hf")
        self._waiting: list[_Waiting] = []
        self._serving: asyncio.Task[None] | None = None
        self._closed = False

    async def generate(self, request: Request) -> Generation:
        """The completion of one request; cut, with finish reason `length`, where the context ends.

        Raises:
            LlmError: the prompt has no ids, none for this model, or too many; a schema is wanted; or the model failed.
        """
        started = time.perf_counter()
        waiting = _Waiting(request, self._job(request), asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        drawn = await waiting.answer
        return Generation(
            role=request.role,
            completion=drawn.text,
            prompt_ids=request.prompt.ids,
            completion_ids=drawn.ids,
            logprobs=drawn.logprobs,
            finish_reason=drawn.finish_reason,
            usage=Usage(len(request.prompt.ids), len(drawn.ids)),
            seconds=time.perf_counter() - started,
        )

    async def close(self) -> None:
        """Waits for the batch under way and ends the worker thread."""
        self._closed = True
        await asyncio.to_thread(self._worker.shutdown)

    def _job(self, request: Request) -> Job:
        ids = request.prompt.ids
        room = self._context - len(ids)
        if self._closed:
            raise LlmError("the model was closed")
        if not ids:
            raise LlmError("a model in this process needs token ids", "use a template with a tokenizer, not teacher")
        if request.schema is not None:
            raise LlmError("a model in this process cannot be held to a JSON Schema", "use a model behind a server")
        if room < 1:
            problem = f"the prompt has {len(ids)} tokens and the model's context {self._context}"
            raise LlmError(problem, "lower env.horizon or env.shown_values")
        if max(ids) >= self._vocabulary:
            problem = f"token {max(ids)} is beyond the model's vocabulary of {self._vocabulary}"
            raise LlmError(problem, "set template.tokenizer to the model's own")
        stop = tuple(text for text in request.stop if text not in self._stop_texts)
        return Job(ids, request.sampling, request.seed, min(request.sampling.max_tokens, room), stop)

    async def _serve(self) -> None:
        """Answers batches until nobody waits."""
        while self._waiting:
            await asyncio.sleep(GATHER_S)
            self._waiting = [waiting for waiting in self._waiting if not waiting.answer.done()]
            batch = self._waiting[: self._max_batch]
            del self._waiting[: self._max_batch]
            try:
                await self._answer(batch)
            finally:
                for waiting in batch:
                    waiting.answer.cancel()

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        rows = [Row(waiting.job, self._stop_ids, self._decode) for waiting in batch]
        failure: LlmError | None = None
        try:
            await asyncio.get_running_loop().run_in_executor(self._worker, complete, self._model, rows)
        except Exception as error:  # whatever the model does is recorded with each request it was asked for
            failure = LlmError(f"the model failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
        for waiting, row in zip(batch, rows, strict=True):
            if waiting.answer.done():
                continue
            if row.drawn is not None:
                waiting.answer.set_result(row.drawn)
            else:
                waiting.answer.set_exception(failure or LlmError("the model gave no completion"))
