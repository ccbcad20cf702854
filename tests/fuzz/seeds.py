"""Inputs of the right form, of our own making: what targets begin from."""

from __future__ import annotations

import json
from typing import Any

import orjson

from agentbench.episodes.encoding import encode
from agentbench.types import (
    Actor,
    Alternative,
    Branch,
    CallTools,
    Decision,
    EndReason,
    Final,
    Generation,
    History,
    Malformed,
    Observation,
    Score,
    Step,
    StepCategory,
    ToolCall,
    ToolSpec,
    Trajectory,
    Usage,
)
from tests.fuzz.parts import TASK, UNIVERSES

Json = Any

_CALL = '{"name": "get_director", "arguments": {"title": "Heat", "n": [1, 2.5, null]}}'
COMPLETIONS: dict[str, tuple[bytes, ...]] = {
    "tiny": (
        b"<|think|> look<|call|> get_director<|arg|> title<|is|> Heat<|arg|> n<|json|> [1, 2.5]<|end|>",
        b"<|final|> Mann<|end|>",
    ),
    "student_qwen3": (
        f"<think>\nlook\n</think>\n\n<tool_call>\n{_CALL}\n</tool_call><|im_end|>".encode(),
        b"look\nFINAL: Mann<\\/think><|im_end|>",
    ),
    "student_qwen25": (f"look\n<tool_call>\n{_CALL}\n</tool_call><|im_end|>".encode(), b"look\nFINAL: Mann"),
    "student_mistral": (f" look[TOOL_CALLS] [{_CALL}]</s>".encode(), b" look\nFINAL: Mann</s>"),
    "student_granite3": (
        f"<think>look</think><|tool_call|>[{_CALL}]<|end_of_text|>".encode(),
        b"<think>look</think><response>Mann</response><|end_of_text|>",
    ),
    "student_deepseek_coder": (f"look\nCALLS: [{_CALL}]<|EOT|>".encode(), b"look\nFINAL: Mann### Response:<|EOT|>"),
    "teacher": (f'{{"content": "look", "tool_calls": [{_CALL}]}}'.encode(), b"look\nFINAL: Mann"),
}
PLANS = (
    {"task": "Find the director of Heat", "tool": "get_director"},
    b'Sure:\n```json\n{"title": "Heat"}\n``` {"year": 2}',
)
CODE = (
    {"thought": "look", "action": "print(apis.films.show(id=1))"},
    {"thought": "done", "answer": "Mann"},
    b"</think>I look.\n```python\nprint(1)\n```\nThen more.",
)
VERDICTS = (
    {"reason": "The same.", "verdict": True},
    {"reason": "Good.", "rating": 4},
    {"reason": "Repeats.", "stuck": True, "kind": "repeating"},
    {"result": "Mann"},
)
_FUNCTION = {"name": "get_director", "arguments": '{"title": "Heat"}'}
ANSWERS = (
    {
        "choices": [{"message": {"content": "look", "tool_calls": [{"function": _FUNCTION}]}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 1}},
    },
    {
        "choices": [
            {"text": "Mann</s>", "token_ids": [5], "prompt_token_ids": [1, 2], "logprobs": {"token_logprobs": [-0.5]}}
        ]
    },
    {"data": [{"id": "student"}]},
)
TASKS = (
    orjson.dumps(TASK) + b"\n",
    orjson.dumps(
        {
            **orjson.loads(orjson.dumps(TASK)),
            "data": {
                "tools": [
                    {
                        "name": "f",
                        "description": "d",
                        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
                    }
                ]
            },
        }
    ),
)


def _trajectory() -> Trajectory:
    call = CallTools((ToolCall("get_director", {"title": "Heat", "x": 1.5}),), "look")
    said = Generation("agent", "look", (1, 2, 3), (4, 5), (-0.1, -0.2), usage=Usage(3, 2), seconds=0.5)
    other = (Alternative(Actor.EXPERT, Malformed("?", "unreadable")),)
    first = Step(
        Decision(call, Actor.AGENT, other, (said,)), Observation('{"director": ["Mann"]}'), StepCategory.GOLD_CALL
    )
    last = Step(Decision(Final("Mann", "so"), generations=(said,)), Observation(""), StepCategory.CORRECT_FINAL, 1.0)
    branch = Branch(last.decision, (last,), EndReason.FINAL, (Score("answer", 1.0),), 2, "random")
    tree = Step(last.decision, last.observation, last.category, 1.0, 0.1, (branch,), (said,))
    spec = ToolSpec("get_director", "Who?", {"type": "object", "properties": {"title": {"type": "string"}}})
    history = History((spec,), Observation("Who directed Heat?"), (first, tree))
    return Trajectory(TASK, history, EndReason.FINAL, (Score("answer", 1.0, "right"),), {"verdict": {"solved": True}})


_LINE = encode(_trajectory()) + b"\n"
TRAJECTORIES = (_LINE, _LINE + _LINE, _LINE + _LINE[:200])
_IDS = {"prompt_ids": [1], "chosen_ids": [2], "chosen_mask": [1], "rejected_ids": [3], "rejected_mask": [0]}
_OF = {"id": "a", "task": "films-1", "domain": "films", "kind": "call_over_final", "margin": 0.5, "template": "tiny"}
_SAID = {"role": "assistant", "content": "Mann"}
ROWS = (
    {**_OF, **_IDS, "chosen_category": "gold_call", "rejected_category": "wrong_final", "tools": "[]", "tokenizer": "t"}
    | {
        "prompt": [{"role": "user", "content": "Who?"}],
        "chosen": [_SAID],
        "rejected": [_SAID],
        "format": "preference/1",
    },
    {
        "id": "b",
        "input_ids": [1, 2],
        "completion_mask": [0, 1],
        "tokenizer": "t",
        "format": "sft/1",
        "completion": [_SAID],
    },
)
_WEATHER = {
    "name": "get_weather",
    "description": "The forecast.",
    "parameters": {
        "city": {"description": "Where.", "type": "str"},
        "days": {"description": "How long.", "type": "Optional[List[int]], optional", "default": "1"},
    },
}
_XLAM = {
    "id": 1,
    "query": "Weather in Oslo?",
    "answers": json.dumps([{"name": "get_weather", "arguments": {"city": "Oslo"}}]),
    "tools": json.dumps([_WEATHER]),
}
XLAM = ([_XLAM], orjson.dumps(_XLAM) + b"\n" + orjson.dumps({**_XLAM, "id": 2}))
NESTFUL = [
    [
        {
            "name": "find_city",
            "description": "Finds it.",
            "query_parameters": {
                "name": {"type": "String", "description": "Its name.", "required": True, "enum": ["Oslo"]}
            },
            "output_parameters": {"id": {"type": "string"}},
        },
        {
            "name": "forecast",
            "description": "",
            "parameters": {"city": {"type": "string"}, "days": {"type": "number", "default": "3"}},
            "output_parameters": {},
        },
    ],
    [
        {
            "input": "How is the weather?",
            "output": [
                {"name": "find_city", "arguments": {"name": "Oslo"}, "label": "var1"},
                {"name": "forecast", "arguments": {"city": "$var1.id$", "days": "2"}, "label": "var2"},
                {"name": "var_result", "arguments": {"w": "$var2$"}},
            ],
        }
    ],
]
_EMPTY = {"type": "object", "properties": {}, "required": [], "optional": []}


def _called(name: str, arguments: str) -> Json:
    return {"role": "assistant", "content": "look", "function_call": {"name": name, "arguments": arguments}}


TOOLBENCH = {
    "win": True,
    "answer_generation": {
        "query": "What does tea cost?",
        "function": [
            {"name": "price", "description": "", "parameters": _EMPTY},
            {"name": "Finish", "description": "", "parameters": _EMPTY},
        ],
        "train_messages": [
            [
                {"role": "user", "content": "What does tea cost?"},
                _called("price", '{"thing": "tea"}'),
                {"role": "function", "name": "price", "content": '{"error": "", "response": "3"}'},
                _called("Finish", '{"return_type": "give_answer", "final_answer": "3"}'),
            ]
        ],
    },
}
_AREA = {
    "name": "math.area",
    "description": "An area.",
    "parameters": {
        "type": "dict",
        "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "float"}}},
        "required": ["a"],
    },
}
BFCL = (
    [
        {
            "entry": {
                "id": "simple_0",
                "question": [[{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]],
                "function": [_AREA],
            },
            "shown": [_AREA],
            "ground_truth": [{"math.area": {"a": [3, ""], "b": [[1.5], ""]}}],
        }
    ],
    [
        {
            "entry": {
                "id": "multi_turn_base_0",
                "question": [[{"role": "user", "content": "q"}], [{"role": "user", "content": "more"}]],
                "initial_config": {},
                "involved_classes": ["Files"],
                "missed_function": {"1": [_AREA]},
            },
            "shown": [{**_AREA, "name": "ls"}],
            "ground_truth": [["ls(a=True)"], ["ls('x')"]],
        }
    ],
)
_SEQUENCE = {
    "tool_call": [{"name": "get_author", "arguments": {"title": "Tides"}, "label": "A"}],
    "tool_response": [["Ana"]],
}
_ASKED = {"turn_id": 1, "query": "Who wrote Tides?"}
_UNIVERSE = {
    "alias_to_table_dict": {"T1": {"original_table_name": "books", "modified_table_name": "books"}},
    "condition_sequence": [["T1.id", "T1.id", "INNER"]],
}
VAKRA = [
    [
        {
            "uuid": "u-1",
            "domain": "library",
            "dialogue": {"turns": [_ASKED]},
            "additional_instructions": "Never use documents.",
        },
        {
            "uuid": "u-1",
            "domain": "library",
            "output": [{**_ASKED, "answer": [["Ana"]], "sequence": _SEQUENCE, "type": "(API-RAG)"}],
        },
    ],
    {"u-1": {"domain": "library", "server_type": "slot_filling", "init_args": _UNIVERSE}},
]
YAML = (
    b"u-1:\n  init_args:\n    alias_to_table_dict:\n      T1: {original_table_name: books}\n",
    b"seed: 1\nenv: {kind: m3}\nmodel: {kind: openai, base_url: 'http://x/v1', name: m}\nhorizon: ${seed}\n",
    b"a: &a [x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\nd: !!python/object/apply:os.system [x]\n",
)
TAU2 = [
    [
        {
            "id": "a",
            "user_scenario": {"instructions": {"reason_for_call": "Cancel."}, "persona": None},
            "evaluation_criteria": {
                "actions": [
                    {
                        "name": "cancel",
                        "arguments": {"order_id": "#1"},
                        "requestor": "assistant",
                        "compare_args": ["order_id"],
                    }
                ],
                "communicate_info": ["7.5"],
                "reward_basis": ["DB", "COMMUNICATE"],
            },
            "initial_state": {
                "message_history": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
            },
        }
    ],
    {"orders": {"#1": {"order_id": "#1", "status": "pending"}}, "plans": [{"plan_id": "p"}]},
]
APPWORLD = [
    [{"instruction": "Send 5 dollars."}, {"steps": [{"code": "print(1)", "thought": "look"}]}],
    {"difficulty": 1},
]
WORLD = {
    "name": "films",
    "title": "Films",
    "topic": "Movies",
    "description": "Films.",
    "attribution": "ours",
    "endpoints": [],
    "universes": [orjson.loads(orjson.dumps(universe)) for universe in UNIVERSES],
    "collection": {"name": "films", "description": "Films."},
    "fingerprint": "f",
}
OPENAPI = {
    "openapi": "3.0.3",
    "paths": {
        "/films/{title}": {
            "get": {
                "operationId": "get_film",
                "parameters": [
                    {"name": "title", "in": "path", "required": True, "schema": {"$ref": "#/components/schemas/Title"}},
                    {"name": "year", "in": "query", "schema": {"type": "integer", "nullable": True, "minimum": 1}},
                ],
            },
            "post": {
                "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
                "parameters": [{"name": "title", "in": "path", "required": True, "schema": {"type": "string"}}],
            },
        }
    },
    "components": {"schemas": {"Title": {"type": "string"}}},
}
SCHEMAS = (
    {
        "type": "object",
        "properties": {"title": {"type": "string", "pattern": "^H"}, "n": {"$ref": "#/$defs/n"}},
        "required": ["title"],
        "$defs": {"n": {"type": "integer"}},
    },
    {
        "type": "object",
        "anyOf": [{"required": ["a"]}, {"properties": {"n": {"enum": [1, 2]}}}],
        "additionalProperties": False,
    },
)
OVERRIDES = (
    b"expert_mode=informed\nseed=1\nenv.tools=[rest]",
    b"env.domains=[a,b]\n~agent.temperature\n+x=${oc.env:HOME}\n-m",
    b"model.base_url='http://x'\nmodel={kind:openai,name:\"m\"}\nhorizon=range(1,5)",
)
