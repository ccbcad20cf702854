"""Tools that a language model answers for: the same specs as the real ones, and faults to order."""
