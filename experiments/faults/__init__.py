"""What happens to every entry point when the world around it breaks: `python -m experiments.faults`, or `make faults`.

entries.py       the entry points: the smallest run of each, what it has finished, what it comes to undisturbed
kitchen.py       what these runs read: a world, a model, trajectories, rows; made once
children.py      a run in a process of its own, how it ended, and whether it left anybody behind
disks.py         file systems that are full, read-only, or limited in files, in a namespace of their own
model_server.py  a model server and a judge that can be told to misbehave; search_server.py the same of a search engine
bench.py         one cell: a folder, an entry point, and what is demanded of every run
stopped.py · disturbed.py · served.py · tools.py · broken.py · shared.py       the faults, by what they do
matrix.py        which fault meets which entry point, and why some cannot
"""
