"""Makes the student of the matrix: `python -m experiments.faults.student FOLDER`, a folder with a world in it."""

from __future__ import annotations

import sys
from pathlib import Path

from agentbench.build.runs import gold_rollout
from agentbench.config.agent import ChatAgent
from agentbench.config.entry import TrainConfig
from agentbench.config.env import M3Env
from agentbench.config.model import TinyModel
from agentbench.config.retriever import Bm25Retriever
from agentbench.config.rewards import RewardsConfig
from agentbench.config.stage import SftStage
from agentbench.config.template import TemplateConfig, TemplateKind
from agentbench.episodes.pool import run_async
from agentbench.templates.tiny import CONTROL_TOKENS, END, PAD
from agentbench.training.tiny import Architecture, new_student, train_tokenizer

SMALL = Architecture(hidden_size=16, layers=1, heads=1, max_length=4096)


def main(folder: Path) -> None:
    """Plays gold trajectories, learns a vocabulary from them, and writes a model with random weights."""
    config = TrainConfig(
        stage=SftStage(),
        model=TinyModel(),
        template=TemplateConfig(kind=TemplateKind.TINY),
        agent=ChatAgent(),
        env=M3Env(worlds=(str(folder / "world"),)),
        retriever=Bm25Retriever(),
        rewards=RewardsConfig(),
        cache_dir=folder,
    )
    run_async(gold_rollout(config, print).play(folder / "gold"))
    texts = (folder / "gold" / "trajectories.jsonl").read_text(encoding="utf-8").splitlines()
    tokenizer = train_tokenizer(texts, 600, CONTROL_TOKENS, end=END, pad=PAD)
    new_student(SMALL, tokenizer, 0).save_pretrained(str(folder / "student"))
    tokenizer.save_pretrained(str(folder / "student"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
