"""Tools of τ²-bench's domains (V. Barres et al., 2025, arXiv 2506.07982), over a copy of a domain's records in memory.

records.py       records that many episodes share and each changes for itself
world.py         what an episode's tools act on, and how an entry of a domain's tool list becomes a `Tool`
arithmetic.py    the `calculate` tool
retail_*.py · airline_*.py · telecom_*.py · mock.py    one domain's records and rules
phone_*.py       telecom: the customer's phone, which only the customer can touch
domains.py       the domains by name

Written from the published databases, policies and reference actions (MIT), in words of our own. Tools, arguments and
what becomes of the records are the benchmark's; messages and descriptions are not, and no verdict reads them.
"""
