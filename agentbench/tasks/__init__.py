"""Tasks: what is asked, read from files, and how far an episode has come along a task's gold chain."""
