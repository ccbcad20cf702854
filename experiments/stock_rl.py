"""TRL's own environment loop over our worlds: the peer of bench_rl.py, as TRL's documentation has it.

`trl.GRPOTrainer(environment_factory=…)` generates a turn for all episodes together, parses each reply, calls methods of
the episode's environment object, and generates again from prompt, completion and tool result. What it needs from a user
is written here: a chat template that says what the tiny student's layout says, an environment whose methods are our
tools, a reward. Every call goes to our `ToolEnv`, and its answer comes back in the words that our own template would
show, so that both loops see the same tokens.

Replies are read by our template too, in place of transformers' response parser, which costs more: it makes JSON schemas
of all tools for every reply. TRL would end an episode at a reply that calls nothing; here such a reply, or a call of a
tool that is not there, calls `unreadable`, and the episode goes on as ours does. TRL lists an environment's methods by
the alphabet; the chat template puts them back into the student's order.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from rl_meter import Meter, Row

from agentbench.build.fields import Field
from agentbench.build.fields.opening import open_field
from agentbench.build.runs import step_grader
from agentbench.config.entry import TrainConfig
from agentbench.config.stage_rl import GrpoStage
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.templates.tiny import Tiny
from agentbench.training_data.returns import RewardWeights, path_rewards
from agentbench.types import (
    Action,
    CallTools,
    Decision,
    EndReason,
    Final,
    History,
    Step,
    Task,
    ToolCall,
    ToolSpec,
    Trajectory,
)

if TYPE_CHECKING:
    from agentbench.training.job import TrainJob

_CHAT_TEMPLATE = """\
{%- set known = (tools or []) | map(attribute='function') | map(attribute='name') | list -%}
{{ '<|tools|> ' + (ORDER | select('in', known) | join(' ')) }}
{%- for message in messages -%}
{%- if message.role == 'user' -%}{{ '<|user|>' + message.content }}
{%- elif message.role == 'tool' -%}{{ message.content }}
{%- elif message.tool_calls -%}{{ '<|act|>' }}
{%- for call in message.tool_calls -%}{{ '<|call|> ' + call.function.name }}
{%- for key, value in call.function.arguments.items() -%}{{ '<|arg|> ' + key }}
{%- if value is string -%}{{ '<|is|> ' + value }}{%- else -%}{{ '<|json|> ' + value | tojson }}{%- endif -%}
{%- endfor -%}{%- endfor -%}{{ '<|end|>' }}
{%- else -%}{{ '<|act|><|final|> ' + message.content + '<|end|>' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|act|>' }}{% endif -%}"""

_PYTHON_TYPES = {"string": str, "integer": int, "number": float, "boolean": bool}


def train_stock(config: TrainConfig, folder: Path, meter: Meter) -> None:
    """TRL's trainer on TRL's loop, told what `config` tells ours."""
    from transformers import PrinterCallback

    loop = asyncio.new_event_loop()
    field = open_field(
        config.env, config.retriever, config.tasks, cache_dir=config.cache_dir, seed=config.seed, report=print
    )
    trainer = _trainer(config, folder, field, loop)
    trainer.add_callback(meter.callback())
    trainer.remove_callback(PrinterCallback)
    played = trainer._generate_and_score_completions

    def noting(inputs: Any) -> Any:
        found = played(inputs)
        meter.rows = list(_rows_of(found, [episode.played.success for episode in trainer.environments]))
        return found

    trainer._generate_and_score_completions = noting
    meter.watch(trainer)
    trainer.train()


def _trainer(config: TrainConfig, folder: Path, field: Field, loop: asyncio.AbstractEventLoop) -> Any:
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl.trainer.grpo_trainer import GRPOTrainer

    from agentbench.llm.hf_load import load_hf
    from agentbench.training.job import TrainJob
    from agentbench.training.rl.online import reward_weights
    from agentbench.training.rl.rollouts import tasks_at

    job, stage = TrainJob(config, folder), config.stage
    assert isinstance(stage, GrpoStage)
    weights = reward_weights(config.rewards, stage)
    setting = Setting(field, {task.id: task for task in field.tasks}, step_grader(config.rewards), weights, loop)
    turns = [tasks_at(step, field.tasks, stage.tasks_per_step, config.seed) for step in range(stage.steps)]
    tools = {task.id: _offered(setting, task) for turn in turns for task in turn}
    kinds = {_named(specs): specs for specs in tools.values()}
    factories: dict[str, Any] = {name: _environment(specs, setting) for name, specs in kinds.items()}
    empty = [{"role": "user", "content": ""}]
    rows = [
        {"prompt": empty, "environment": _named(tools[task.id]), "task": task.id} for turn in turns for task in turn
    ]
    return GRPOTrainer(
        model=load_hf(job.model.path, None, job.model.dtype, job.model.device).requires_grad_(True),
        reward_funcs=_reward,
        args=_arguments(job, stage),
        train_dataset=Dataset.from_list(rows),
        processing_class=_speaking(AutoTokenizer.from_pretrained(job.model.path), kinds.values()),
        environment_factory=factories,
    )


def _arguments(job: TrainJob, stage: GrpoStage) -> Any:
    """Ours, and what TRL's loop has to be told beside: ours asks the environment's and the agent's configuration."""
    from trl.trainer.grpo_config import GRPOConfig

    from agentbench.training.arguments import training_arguments

    return training_arguments(
        GRPOConfig,
        job,
        rows=stage.steps * stage.batch_size,
        validated=False,
        num_generations=stage.group_size,
        generation_batch_size=stage.batch_size,
        shuffle_dataset=False,
        temperature=stage.temperature,
        max_completion_length=stage.max_length,
        generation_kwargs={"max_new_tokens": job.config.agent.max_tokens, "use_cache": True},
        max_tool_calling_iterations=job.config.env.horizon - 1,
        loss_type=stage.loss.value,
        scale_rewards=stage.scale.value,
        epsilon=stage.clip_low,
        epsilon_high=stage.clip_high,
        beta=stage.beta,
    )


class Setting(NamedTuple):
    """What all episodes of a training share."""

    field: Field
    tasks: dict[str, Task]
    grade: StepGrader
    weights: RewardWeights
    loop: asyncio.AbstractEventLoop


class Played:
    """One of our episodes, step by step, with our record and our rewards."""

    def __init__(self, setting: Setting, task: Task) -> None:
        self._setting, self._task = setting, task
        self._env = setting.field.environment(task)
        opening = setting.loop.run_until_complete(self._env.reset(task))
        self._history = History(self._env.tools, opening)
        self.success = False

    @property
    def opening(self) -> str:
        """What the user says, as the student's layout has it."""
        pieces = Tiny().opening("", self._history.tools, self._history.opening.text)
        return pieces[-2].text  # between the control tokens for user and act

    def answered(self, action: Action) -> str:
        """What an action brings, as the student's layout has it."""
        return Tiny().observation(self._step(action))[0].text

    def earned(self, answer: str | None) -> float:
        """The return of the episode, which ends with this answer, or without one."""
        if answer is not None:
            self._step(Final(answer))
        end = EndReason.HORIZON if answer is None else EndReason.FINAL
        came = Trajectory(self._task, self._history, end)
        (score,) = self._setting.loop.run_until_complete(AnswerScorer().score(came))
        self.success = score.value == 1.0
        return math.fsum(path_rewards(self._history.steps, self.success, self._setting.weights))

    def _step(self, action: Action) -> Step:
        came = self._setting.loop.run_until_complete(self._env.step(action))
        grade = self._setting.grade(self._task, self._history, action, came.observation)
        step = Step(Decision(action), came.observation, grade.category, grade.reward)
        self._history = History(self._history.tools, self._history.opening, (*self._history.steps, step))
        return step


class Episode:
    """An environment as TRL wants it: made once, reset often; its public methods but this one are tools."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.played: Played | None = None

    def reset(self, prompt: Any, task: str) -> str:
        """Begins the task; what is added to the prompt's last message."""
        self.played = Played(self.setting, self.setting.tasks[task])
        return self.played.opening

    def unreadable(self, text: str) -> str:
        """What comes of a reply that is neither an answer nor one call of a tool that is there.

        Args:
            text: The reply.
        """
        assert self.played is not None
        return self.played.answered(Tiny().parse(text))


def _environment(specs: Sequence[ToolSpec], setting: Setting) -> Callable[[], Episode]:
    """What makes environments with these tools."""
    kind = type("Episode", (Episode,), {spec.name: _method(spec) for spec in specs})
    return lambda: kind(setting)


def _method(spec: ToolSpec) -> Callable[..., str]:
    """A tool as a method with the hints and the docstring that transformers makes its JSON schema of."""

    def call(self: Episode, **arguments: Any) -> str:
        assert self.played is not None
        return self.played.answered(CallTools((ToolCall(spec.name, arguments),)))

    parameters = spec.parameters["properties"]
    types = {name: _PYTHON_TYPES[about["type"]] for name, about in parameters.items()}
    lines = [f"    {name}: {about.get('description', name)}" for name, about in parameters.items()]
    documented = cast(Any, call)
    documented.__name__ = spec.name
    documented.__doc__ = "\n".join([" ".join(spec.description.split()), "", "Args:", *lines])
    documented.__annotations__ = types | {"return": str}
    kinds = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    kinds += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint) for name, hint in types.items()]
    documented.__signature__ = inspect.Signature(kinds)
    return call


def _offered(setting: Setting, task: Task) -> tuple[ToolSpec, ...]:
    """The tools of a task's episodes."""
    env = setting.field.environment(task)
    setting.loop.run_until_complete(env.reset(task))
    return env.tools


def _speaking(tokenizer: Any, kinds: Iterable[Sequence[ToolSpec]]) -> Any:
    """The student's tokenizer with what TRL's loop writes prompts and reads replies with."""
    names = {spec.name: None for specs in sorted(kinds, key=len, reverse=True) for spec in specs}
    last = [name for name in names if name == "retrieve_documents"]
    order = str([name for name in names if name not in last] + last)
    tokenizer.chat_template = _CHAT_TEMPLATE.replace("ORDER", order)
    tokenizer.response_template = {}  # TRL asks for one, and leaves the rest to `parse_response`
    tokenizer.parse_response = partial(_read, tokenizer)
    return tokenizer


def _read(tokenizer: Any, ids: list[int], *, prefix: list[int], tools: Sequence[Callable[..., str]]) -> dict[str, Any]:
    """A reply as a message."""
    text = tokenizer.decode(ids)
    match Tiny().parse(text):
        case Final(answer=answer):
            return {"role": "assistant", "content": answer}
        case CallTools(calls=(call,)) if call.name in {tool.__name__ for tool in tools}:
            function = {"name": call.name, "arguments": call.arguments}
        case _:
            function = {"name": Episode.unreadable.__name__, "arguments": {"text": text}}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}


def _reward(completions: list[list[dict[str, Any]]], environments: list[Episode], **_: Any) -> list[float | None]:
    """What our record of each episode is worth; the last message is the answer where it calls no tool."""
    return [_worth(messages[-1], episode) for messages, episode in zip(completions, environments, strict=True)]


def _worth(last: dict[str, Any], episode: Episode) -> float:
    assert episode.played is not None
    goes_on = bool(last.get("tool_calls")) or last["role"] == "tool"
    return episode.played.earned(None if goes_on else str(last.get("content") or ""))


def _named(specs: Sequence[ToolSpec]) -> str:
    return " ".join(spec.name for spec in specs) or "nothing"


def _rows_of(made: dict[str, Any], won: Sequence[bool]) -> Iterator[Row]:
    """TRL's padded tensors without their padding."""
    for index, success in enumerate(won):
        prompt = made["prompt_ids"][index][made["prompt_mask"][index].bool()]
        mask = made["tool_mask"][index][made["completion_mask"][index].bool()]
        yield Row(tuple(prompt.tolist()), tuple(mask.tolist()), success)
