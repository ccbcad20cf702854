"""One of two processes that train together: the second one's model is not what packing takes it for."""

from __future__ import annotations

import os
import sys
from typing import Any

import torch
import torch.distributed

from agentbench.training.treepack.forward import agreed
from agentbench.training.treepack.trainers import TreeDPOTrainer
from tests.training.treepack.twins import Neighbourly, continued, make_trainer, pairs, step


def main(folder: Any, odd: str) -> None:
    """Takes one batch and prints what packing said."""
    torch.set_num_threads(1)
    lines: list[str] = []
    trainer: Any = make_trainer(TreeDPOTrainer, folder, given=continued, more={"say": lines.append})
    assert trainer.args.world_size == 2
    if os.environ["RANK"] == odd:
        bare = trainer.model.get_base_model()
        bare.set_input_embeddings(Neighbourly(bare.get_input_embeddings()))
    step(trainer, trainer.data_collator(pairs(int(os.environ["RANK"]))))
    print("SAID", lines[-1], trainer.packing.packed_batches)
    assert agreed(True, torch.device("cpu")), "still in step"
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
