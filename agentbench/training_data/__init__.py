"""Trajectories → rows that trainers read: exact token ids, and a mask of the tokens the loss may touch."""
