"""Tools over a SQLite database at three granularities: `rest`, `slot_filling`, `selection`.

The work is pushed down to SQLite over one read-only connection; values are always bound, identifiers come from
the world's declarations (`spec.py`), never from the agent.
"""
