"""Payment requests as worlds for AppWorld's engine: people who exist, money that moves, tests that look at it.

`scenarios.py` decides what is asked of whom and how it is done and tested; `builder.py` is the script that AppWorld's
interpreter runs to write the databases, `root.py` starts it.
"""
