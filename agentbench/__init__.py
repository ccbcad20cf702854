"""agentbench: turn an environment into a better tool-calling agent, and prove it.

Read `types.py` first; the packages then follow the data flow of the README.
"""

__version__ = "0.1.0"
