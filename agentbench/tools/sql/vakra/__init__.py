"""The handle tools as the public benchmark VAKRA released them, faults included, so that its figures can be reproduced.

Its tools are Python over whole tables in memory, and what they do follows from that: values are compared as Python
does, and rows keep the order of the one statement that read them. Pushed down to SQLite, as the tools of the strict
contract are, neither would be the same, so these tables are held in memory too: once per run, in typed columns, while
what the tools derive from them are lists of row numbers.
"""
