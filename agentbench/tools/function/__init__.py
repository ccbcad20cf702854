"""Python functions as tools: a user's own, named by dotted path, and a few that come along.

    binding       from a dotted path to a `FunctionTool`, with what does not fit its schema said at the start
    calculator    arithmetic on an expression, read without evaluating any Python
    weather       invented weather, the same for everybody
    search        a small collection of texts

None of those that come along needs the network or keeps anything between calls.
"""
