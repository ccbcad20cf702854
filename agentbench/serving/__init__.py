"""Model servers of our own: started for a run, shared between runs, ended with the last of them.

vllm        the command line and environment of a server, and what can be told before it starts
lease       one run's share in a server; the last lease to end stops it
keeper      the process above a server that outlives any single run and no server
failures    from the end of a log to one line
client      what is asked of a server beside completions: health, adapters, figures
weights     a base model and its LoRA adapters by their content
parity      are the served weights those that transformers computes?
"""
