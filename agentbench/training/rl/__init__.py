"""Reinforcement learning in the environment: episodes are played by the weights that are trained, then followed.

Reading order: `rollouts` (who plays, and which tasks when), `batch` (episodes to tensors), `trl_adapter` (the one file
between our episodes and TRL's trainers, whose losses it leaves alone), `ppo` with `values` (our own trainer), `stages`
(a trainer for each stage), `online` (one training from start or checkpoint to its result).
"""
