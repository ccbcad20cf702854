"""What people look at: figures of runs with intervals, comparisons, lineages, episodes, plots, pages and trackers.

facts → estimates, paired, judged → statistics → comparison → tables        a file builds on those before it

All is read from run folders; no environment and no model is needed. Tasks, not episodes, are drawn anew behind every
interval, because episodes of one task resemble each other.
"""
