"""How often an untrained model's plans and arguments are valid JSON, with the grammar and without.

    python experiments/grammar_validity.py --samples 10000

A randomly initialised Qwen3 of 0.3 million parameters with a byte-level vocabulary of its own is sampled at temperature
1 through the code that `agent=planner` runs on. Half of the requests are for plans, the others for the arguments of
four tools, from a plain text to nested lists. A completion counts as valid if `json.loads` reads it and it satisfies
the schema it was asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from typing import Any

import torch
from jsonschema import Draft202012Validator

from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.grammar import Guides
from agentbench.llm.hf import HfLlm
from agentbench.policies.plans import bounded, plan_schema
from agentbench.templates.tiny import CONTROL_TOKENS, END, PAD
from agentbench.templates.tokenizer import Tokenizer
from agentbench.training.tiny import Architecture, new_student, train_tokenizer
from agentbench.types import Generation

Schema = dict[str, Any]

AT_ONCE = 200
"""Completions that are drawn together."""
UNGUIDED_TOKENS = 200
"""Longest completion without the grammar, which hardly ever comes to an end of its own."""
TEXTS = (
    "Who directed Heat?",
    'the {"task": "look it up", "tool": "search"} answer is 12.5 °C',
    "naïve café 東京 \\ / \n\t",
)
TEXT: Schema = {"type": "string"}
TOOLS: dict[str, Schema] = {
    "search": {"type": "object", "properties": {"query": TEXT}, "required": ["query"]},
    "calculate": {
        "type": "object",
        "properties": {"operation": {"enum": ["add", "divide"]}, "a": {"type": "number"}, "b": {"type": "integer"}},
        "required": ["operation", "a", "b"],
    },
    "send_email": {
        "type": "object",
        "properties": {"to": {"type": "array", "items": TEXT, "minItems": 1}, "subject": TEXT, "body": TEXT},
        "required": ["to", "subject", "body"],
    },
    "create_event": {
        "type": "object",
        "properties": {
            "title": TEXT,
            "all_day": {"type": "boolean"},
            "guests": {
                "type": "array",
                "items": {"type": "object", "properties": {"name": TEXT}, "required": ["name"]},
            },
        },
        "required": ["title"],
    },
}


def main() -> None:
    """Samples, and prints one line for each kind of request."""
    arguments = parsed()
    torch.set_num_threads(1)
    plan = ("plan", plan_schema(tuple(TOOLS), arguments.chars))
    calls = [(f"arguments of {name}", bounded(schema, arguments.chars)) for name, schema in TOOLS.items()]
    kinds = [plan if number % 2 else calls[number // 2 % len(calls)] for number in range(arguments.samples)]
    for guided in (True, False):
        wanted = kinds if guided else kinds[: arguments.unguided]
        started = time.process_time()
        said = asyncio.run(sample([schema for _, schema in wanted], arguments.max_tokens, guided=guided))
        report("with the grammar" if guided else "without", wanted, said, time.process_time() - started)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000, help="completions with the grammar")
    parser.add_argument("--unguided", type=int, default=1000, help="completions without it, for comparison")
    parser.add_argument("--chars", type=int, default=60, help="longest text of an argument or task, in characters")
    parser.add_argument("--max-tokens", type=int, default=3000, help="longest completion; the context is 4096")
    return parser.parse_args()


async def sample(schemas: list[Schema], max_tokens: int, *, guided: bool) -> list[Generation]:
    """One completion for each schema, all with seeds of their own."""
    fast = train_tokenizer(TEXTS * 3, 1024, CONTROL_TOKENS, end=END, pad=PAD)
    tokenizer = Tokenizer(fast.backend_tokenizer.to_str().encode())
    model = new_student(Architecture(64, 2, 4, 4096), fast, seed=0).double().eval()
    stop = tokenizer.id_of(END)
    assert stop is not None
    guides = Guides(tokenizer.description, model.config.vocab_size, stop)
    llm = HfLlm(model, tokenizer.decode, [stop], max_batch=AT_ONCE, prefix_bytes=0, guides=guides)
    prompt = Prompt(ids=tokenizer.encode("What next?", control=False))
    sampling = Sampling(1.0, 1.0, max_tokens if guided else UNGUIDED_TOKENS)
    requests = [
        Request(prompt, sampling, seed, role="planner", schema=schema if guided else None)
        for seed, schema in enumerate(schemas)
    ]
    said: list[Generation] = []
    try:
        for start in range(0, len(requests), AT_ONCE):
            said += await asyncio.gather(*map(llm.generate, requests[start : start + AT_ONCE]))
        return said
    finally:
        await llm.close()


def report(title: str, kinds: list[tuple[str, Schema]], said: list[Generation], cpu_s: float) -> None:
    """Counts of valid completions."""
    asked = Counter(name for name, _ in kinds)
    pairs = zip(kinds, said, strict=True)
    valid = Counter(name for (name, schema), generation in pairs if is_valid(generation.completion, schema))
    tokens = sum(len(each.completion_ids) for each in said)
    print(f"{title}: {sum(valid.values()):,} of {len(said):,} valid, {tokens:,} tokens, {cpu_s:.0f} CPU-s")
    distinct, longest = len({each.completion for each in said}), max(len(each.completion_ids) for each in said)
    print(f"  {distinct:,} distinct ones, the longest of {longest} tokens")
    for name, count in sorted(asked.items()):
        print(f"  {name}: {valid[name]:,} of {count:,}")


def is_valid(text: str, schema: Schema) -> bool:
    """Whether a text is JSON that satisfies a schema."""
    try:
        return Draft202012Validator(schema).is_valid(json.loads(text))
    except ValueError:
        return False


if __name__ == "__main__":
    main()
