"""The tools of an assistant: search, arithmetic, code, and messages to the user and to others.

`specs.py` says what each is to an agent; whatever answers a call, the real tool or a model in its stead, has the same
spec. Arguments are pydantic models, and the schemas are made of them.
"""
