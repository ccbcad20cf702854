"""Real episodes in the small film world: a scripted agent, the gold expert, and a tokenizer made on the spot.

The agent's model samples letter by letter, so its ids differ from those that encoding its text would give.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable

import pytest
from tokenizers import Tokenizer as Rust
from tokenizers import decoders, models, pre_tokenizers, trainers

from agentbench.config.rewards import RewardsConfig
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.encoding import expanded
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.llm import Request, Sampling
from agentbench.policies.chat import ChatAgent
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.intervention import Intervention
from agentbench.policies.triggers import Never, Trigger
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.templates.tiny import CONTROL_TOKENS, Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import Tokenizer
from agentbench.training_data.transcript import Transcriber
from agentbench.types import Generation, StepCategory, Task, Trajectory

ASK = "<|call|> get_film_director<|arg|> title<|is|> Robbery"
ASTRAY = "<|call|> get_film_director<|arg|> title<|is|> Heat"
SEARCH = "<|call|> retrieve_documents<|arg|> collection<|is|> people<|arg|> query<|is|> Jack Lee"
OTHER_WORDS = "<|call|> retrieve_documents<|arg|> collection<|is|> people<|arg|> query<|is|> Mr Lee"
RIGHT = "<|final|> Stroud"
WRONG = "<|final|> Paris"
NONSENSE = "<|arg|> what"

Play = Callable[..., Trajectory]


def byte_pairs(texts: Iterable[str], size: int) -> Tokenizer:
    rust = Rust(models.BPE())
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(CONTROL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    rust.train_from_iterator(texts, trainer)
    return Tokenizer(rust.to_str().encode())


@pytest.fixture(scope="session")
def letters() -> Tokenizer:
    """One token per byte, and the tiny student's control tokens."""
    return byte_pairs([], 267)


@pytest.fixture(scope="session")
def words() -> Tokenizer:
    """Whole words of the film world are single tokens."""
    return byte_pairs(
        20 * [" get_film_director title Robbery Heat retrieve_documents people Jack Lee Stroud Paris"], 400
    )


def spelt(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """Control tokens whole, everything else letter by letter."""
    parts = text.replace("<|", "\0<|").replace("|>", "|>\0").split("\0")
    pieces = [[part] if part.startswith("<|") else list(part) for part in parts]
    return tuple(index for piece in pieces for text in piece for index in tokenizer.encode(text, control=True))


class Spelling:
    """A model that says its lines in order, the last one for ever, and samples them letter by letter."""

    def __init__(self, lines: Iterable[str], tokenizer: Tokenizer) -> None:
        self._lines = list(lines)
        self._tokenizer = tokenizer

    async def generate(self, request: Request) -> Generation:
        line = self._lines.pop(0) if len(self._lines) > 1 else self._lines[0]
        ids = spelt(self._tokenizer, line + "<|end|>")
        return Generation(request.role, line, request.prompt.ids, ids)

    async def close(self) -> None:
        pass


@pytest.fixture
def play(film_tools, film_task, words) -> Play:
    """`play("line", …)`: an episode of an agent that says these lines; the expert stands by and its choice is kept."""

    def played(
        *lines: str,
        trigger: Trigger | None = None,
        task: Task = film_task,
        tokenizer: Tokenizer = words,
        horizon: int = 6,
    ) -> Trajectory:
        agent = ChatAgent(Spelling(lines, tokenizer), TokenTemplate(Tiny(), tokenizer), Sampling(), 0)
        policy = Intervention(agent, GoldExpert(task), trigger or Never(), keep_alternative=True)
        worth = dataclasses.asdict(RewardsConfig())
        grade = StepGrader({category: worth[category.value] for category in StepCategory})
        parts = EpisodeParts(ToolEnv(film_tools, True), policy, grade, (AnswerScorer(),))
        return expanded(asyncio.run(run_episode(task, parts, Limits(horizon, 10.0), 0)))

    return played


@pytest.fixture
def transcriber(words: Tokenizer) -> Transcriber:
    """Writes with the tokenizer that the agent spoke."""
    return Transcriber(TokenTemplate(Tiny(), words), "Be brief.")


def kept_text(tokenizer: Tokenizer, ids: tuple[int, ...], mask: tuple[int, ...]) -> str:
    """The text of the tokens that carry loss."""
    return tokenizer.decode([token for token, mark in zip(ids, mask, strict=True) if mark])
