"""BFCL, the Berkeley function-calling leaderboard: its questions as tasks, its checkers, and result files it scores.

process → answers → questions → results      a file builds on those before it; `official.py` runs in a process apart
"""
