"""A contestant of bench_rl.py: the process that builds a trainer and takes a step whenever it is asked to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from rl_meter import Meter, Row

CACHE = Path("outputs/cache")


class Size(NamedTuple):
    """How much is played in a step."""

    rounds: int
    """Steps of each contestant, but for its first."""
    tasks: int
    group: int
    micro_batch: int = 8
    """Rows in a forward pass of TRL's and the plain trainer; 8 is TRL's own default."""
    horizon: int = 6
    max_tokens: int = 48
    """Of one completion."""


def task_file(folder: Path) -> Path:
    """Where the tasks of all steps are."""
    return folder / "tasks.jsonl"


def config_of(size: Size, model: str, folder: Path, *, tree: bool = False) -> Any:
    """Our training's configuration; only its stage, tasks and model are not the defaults of `agentbench.train`."""
    from agentbench.config.agent import ChatAgent
    from agentbench.config.entry import TrainConfig
    from agentbench.config.env import M3Env
    from agentbench.config.model import HfModel, TinyModel
    from agentbench.config.retriever import Bm25Retriever
    from agentbench.config.rewards import RewardsConfig
    from agentbench.config.stage_rl import GrpoStage
    from agentbench.config.tasks import Split, TasksConfig
    from agentbench.config.template import TemplateConfig, TemplateKind
    from agentbench.config.trainer import TrainerConfig

    stage = GrpoStage(steps=size.rounds + 1, tasks_per_step=size.tasks, group_size=size.group, drop_equal_groups=False)
    return TrainConfig(
        stage=stage,
        trainer=TrainerConfig(micro_batch=None if tree else size.micro_batch, checkpoint_every=None, cpu=True),
        model=HfModel(path=model, max_batch=TinyModel().max_batch),
        template=TemplateConfig(kind=TemplateKind.TINY),
        agent=ChatAgent(max_tokens=size.max_tokens),
        env=M3Env(horizon=size.horizon),
        retriever=Bm25Retriever(),
        rewards=RewardsConfig(),
        tasks=TasksConfig(file=task_file(folder), split=Split.TRAIN),
        tree=tree,
        cache_dir=CACHE,
    )


def contest(order: dict[str, Any]) -> None:
    """The other process: builds its trainer and trains; its meter waits to be asked before every step."""
    import torch
    from datasets import disable_progress_bars

    torch.set_num_threads(1)
    disable_progress_bars()
    size, folder, meter = Size(**order["size"]), Path(order["folder"]), Meter()
    match order["variant"]:
        case "stock":
            from stock_rl import train_stock

            train_stock(config_of(size, order["model"], folder), folder / "stock", meter)
        case variant:
            _train_ours(config_of(size, order["model"], folder, tree=variant == "tree"), folder / variant, meter)


def _train_ours(config: Any, folder: Path, meter: Meter) -> None:
    """The training of `agentbench.train stage=grpo`, up to where weights are written."""
    from transformers import PrinterCallback

    from agentbench.build.online import opened_rollouts
    from agentbench.training.job import TrainJob
    from agentbench.training.rl.online import reward_weights
    from agentbench.training.rl.playing import Online
    from agentbench.training.rl.ranks import ALONE
    from agentbench.training.rl.stages import online_trainer

    folder.mkdir()
    with opened_rollouts(config, folder, ALONE, print) as rollouts:
        online = Online(rollouts, reward_weights(config.rewards, config.stage))
        trainer = online_trainer(TrainJob(config, folder), online, [meter.callback()])
        trainer.remove_callback(PrinterCallback)
        made = trainer.inputs_of

        def noting(episodes: Any) -> Any:
            meter.rows = [Row(row.prompt_ids, row.mask, row.success) for row in episodes.rows]
            return made(episodes)

        trainer.inputs_of = noting
        meter.watch(trainer)
        trainer.train()
