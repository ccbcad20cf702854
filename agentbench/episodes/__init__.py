"""Episodes: one task played to its end and recorded, many at once, kept on disk so that a run can always go on.

run_episode.py   the only loop: policy acts, environment answers, step is graded
branching.py     the same loop along other ways, which makes a tree; branch_points.py says where
state_values.py  what states and steps of a tree are worth
pool.py          many episodes at once; Ctrl-C
run_tasks.py     a whole run on a folder: lock, resume, play, record, summarise
encoding.py      Trajectory ⇄ one line of JSON
store.py         trajectories.jsonl: append, read, repair
failures.py      what is written about a failure; stop when all fail alike
tally.py · summary.py · rates.py · table.py · progress.py      what came out, while it runs and afterwards
"""
