"""Colloquial requests to send money, to ask for it, and to add to one's balance: made by a seed, as tasks of two kinds.

`wording.py` is what people say, `requests.py` draws from it, `functions.py` makes function-calling tasks of it;
`worlds/payments.py` makes worlds for AppWorld's engine, in which the people exist and the money moves.
"""
