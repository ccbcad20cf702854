"""The official side of BFCL: its questions, its executor of simulated APIs, its checkers and its command line.

This file runs in BFCL's own environment (`make bfcl`) and imports nothing of agentbench; `agentbench` talks to it over
pipes. It takes the place of the one module of `bfcl_eval` that would import every vendor's SDK, and adds nothing else:

    python official.py load simple_python parallel      questions, tools and answers as one JSON document
    python official.py serve                            JSON lines in, JSON lines out: calls to execute, things to check
    python official.py cli evaluate --model …           the official `bfcl` program

The official executor runs `eval()` on call texts. Those it gets here are written by `_text`, from a name that is one of
the question's own functions, keys that are identifiers, and the `repr` of JSON values: what a model wrote never is.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import sys
import tempfile
import types
from collections.abc import Callable, Sequence
from typing import Any

MODEL = "Qwen/Qwen3-8B-FC"
"""A model that the official program knows and whose results are read as ours are written: tagged JSON calls."""
_MODELS = "bfcl_eval.constants.model_config"

Json = dict[str, Any]


def main() -> None:
    """Does what the first argument says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("do", choices=("load", "serve", "cli"))
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BFCL_PROJECT_ROOT"] = folder  # it makes folders there as soon as it is imported
        match asked.do:
            case "load":
                with contextlib.redirect_stdout(sys.stderr):
                    found = {category: _questions(category) for category in asked.rest}
                json.dump({"added": _added(), "categories": found}, sys.stdout)
            case "serve":
                _serve()
            case "cli":
                _cli(asked.rest)


def _questions(category: str) -> list[Json]:
    """What the official runner shows a model (`shown` differs from `entry` in the words about the language), and the
    official answer; categories about relevance have none."""
    from bfcl_eval.utils import is_relevance_or_irrelevance, load_dataset_entry, load_ground_truth_entry

    raw = load_dataset_entry(category, include_prereq=False, include_language_specific_hint=False)
    shown = load_dataset_entry(category, include_prereq=False)
    none = [{"ground_truth": None}] * len(raw)
    answers = none if is_relevance_or_irrelevance(category) else load_ground_truth_entry(category)
    if category.startswith("multi_turn"):
        for entry in raw:
            del entry["function"]  # its checkers do not look at them, and there are a hundred
    return [
        {"entry": entry, "shown": hinted["function"], "ground_truth": answer["ground_truth"]}
        for entry, hinted, answer in zip(raw, shown, answers, strict=True)
    ]


def _added() -> str:
    """What the user says in a turn that brings functions and nothing else."""
    from bfcl_eval.constants.default_prompts import DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC

    return DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC


def _serve() -> None:
    """Answers each line with `{"answer": …}`, or `{"error": …}` where the official code raises."""
    lines, out = sys.stdin, sys.stdout
    jobs: dict[str, Callable[[Json], Any]] = {"execute": _execute, "turns": _check_turns, "calls": _check_calls}
    with contextlib.redirect_stdout(sys.stderr):
        for line in lines:
            asked = json.loads(line)
            try:
                answer = {"answer": jobs[asked["do"]](asked)}
            except Exception as error:  # it is told to the process that asked, whose record it goes into
                answer = {"error": f"{type(error).__name__}: {error}"}
            out.write(json.dumps(answer, default=str) + "\n")
            out.flush()


def _execute(asked: Json) -> list[str]:
    """What the simulated APIs say to some calls, in order; they keep their state from one line to the next."""
    from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_utils import execute_multi_turn_func_call

    entry = asked["entry"]
    results, _ = execute_multi_turn_func_call(
        [_text(call, entry) for call in asked["calls"]],
        entry["initial_config"],
        entry["involved_classes"],
        "agent",
        entry["id"],
        long_context="long_context" in entry["id"],
    )
    return results


def _check_turns(asked: Json) -> Json:
    """The official verdict on the calls of a dialogue: by turn, by step."""
    from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_checker import multi_turn_checker

    entry = asked["entry"]
    turns = [[[_text(call, entry) for call in step] for step in turn] for turn in asked["turns"]]
    found = multi_turn_checker(turns, asked["ground_truth"], entry, entry["id"].rsplit("_", 1)[0], "agent")
    return {"valid": found["valid"], "error": found.get("error_type", ""), "said": found.get("error_message", "")}


def _check_calls(asked: Json) -> Json:
    """The official verdict on the calls that answer one question."""
    _register()
    from bfcl_eval.constants.enums import Language
    from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker

    category, calls = asked["category"], [{call["name"]: call["arguments"]} for call in asked["calls"]]
    language = {"simple_java": Language.JAVA, "simple_javascript": Language.JAVASCRIPT}.get(category, Language.PYTHON)
    found = ast_checker(asked["entry"]["function"], calls, asked["ground_truth"], language, category, MODEL)
    return {"valid": found["valid"], "error": found.get("error_type", ""), "said": str(found["error"])}


def _text(call: Json, entry: Json) -> str:
    """A call as the executor takes it; one that would not name a function of the question is refused.

    Raises:
        ValueError: so it is; callers do not send such calls.
    """
    name, arguments = call["name"], call["arguments"]
    if name not in entry["callable"]:
        raise ValueError(f"{name!r} is no function of {entry['id']}")
    if not name.isidentifier() or not all(key.isidentifier() for key in arguments):
        raise ValueError(f"{call!r} cannot be written as a call")
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def _cli(arguments: Sequence[str]) -> None:
    """The official program, told apart from its own by the one registered model alone.

    It takes folders to be below its own, which is gone when it ends; here they are below the working directory.
    """
    _register()
    from bfcl_eval.__main__ import cli

    flags = ("--result-dir", "--score-dir")
    before = [None, *arguments]
    told = [os.path.abspath(each) if flag in flags else each for flag, each in zip(before, arguments, strict=False)]
    if arguments and arguments[0] == "evaluate" and "--score-dir" not in arguments:
        told += ["--score-dir", os.path.abspath("score")]
    cli(told, prog_name="bfcl")


@functools.cache
def _register() -> None:
    """Puts one model into the place of the module that knows them all; its decoder is the official one.

    That decoder's file imports two HTTP clients, which nothing here ever calls.
    """
    sys.modules.setdefault("requests", types.ModuleType("requests"))
    client = types.ModuleType("openai")
    vars(client)["OpenAI"] = types.SimpleNamespace
    sys.modules.setdefault("openai", client)
    from bfcl_eval.model_handler.local_inference.qwen_fc import QwenFCHandler

    model = types.SimpleNamespace(
        model_name=MODEL,
        display_name=MODEL,
        url="",
        org="",
        license="",
        model_handler=QwenFCHandler,
        input_price=None,
        output_price=None,
        is_fc_model=True,
        underscore_to_dot=False,
    )
    models = types.ModuleType(_MODELS)
    vars(models)["MODEL_CONFIG_MAPPING"] = {MODEL: model}
    sys.modules.setdefault(_MODELS, models)


if __name__ == "__main__":
    main()
