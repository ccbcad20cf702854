"""Configuration as typed values: dataclass schemas, one module per noun, and `load()`.

YAML files under conf/ say which values; the string under each field here says what it means, its unit and range.
Nothing in this package builds anything: `agentbench.build` turns values into objects.
"""

from __future__ import annotations

from agentbench.config.load import load

__all__ = ["load"]
