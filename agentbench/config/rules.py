"""Rules between parts of a configuration, which no single part can check.

A rule names the top-level keys it speaks about and is asked whenever all of them are there and valid, whatever else
is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.config.agent import AgentConfig
from agentbench.config.assistant_rules import (
    direct_tools_are_asked_nobody,
    faults_are_a_share,
    online_agent_speaks_once,
    ratings_have_a_judge,
    requests_are_given,
    self_check_has_no_judge,
    tools_have_their_means,
    training_has_no_judge,
)
from agentbench.config.branching import (
    branches_are_played,
    branches_are_used,
    branches_can_be_restored,
    branches_differ,
    branches_have_their_actors,
    confidence_is_known,
)
from agentbench.config.cluster import PlayLauncher, RayLauncher
from agentbench.config.env import EnvConfig, M3Env, McpEnv, Shortlister
from agentbench.config.env_appworld import AppWorldEnv
from agentbench.config.env_bfcl import (
    bfcl_categories_are_known,
    bfcl_does_not_branch,
    bfcl_is_not_self_checked,
    bfcl_is_not_trained_on,
)
from agentbench.config.env_function_call import nestful_has_its_file, nestful_is_not_trained_on
from agentbench.config.env_playground import playground_tools_are_whole
from agentbench.config.evaluation_rules import labels_have_a_judge, regrade_is_alone, samples_differ
from agentbench.config.expert_rules import (
    alternates_need_expert,
    llm_expert_is_used,
    llm_overseer_is_used,
    person_is_here,
)
from agentbench.config.injection import injection_fits, online_shows_the_record, served_results_are_plain
from agentbench.config.iteration_rules import (
    rounds_are_labelled,
    rounds_fit_their_stage,
    rounds_make_their_rows,
    rounds_play_training_tasks,
)
from agentbench.config.launcher import LauncherConfig
from agentbench.config.model import ApiMode, HfModel, ModelConfig, OpenAIModel, TinyModel
from agentbench.config.prefs_rules import (
    help_is_measured_on_tokens,
    lengths_are_counted,
    loss_is_on_tokens,
    planners_learn_plans,
    rows_have_trajectories,
    sides_are_of_trajectories,
    source_has_its_settings,
    tokens_are_the_template_s,
)
from agentbench.config.retriever import Bm25Retriever, EncoderKind, RetrieverConfig
from agentbench.config.rl_rules import (
    online_agent_is_known,
    online_batches_divide,
    online_credits_trees,
    online_fits_itself,
    online_has_reference,
    online_plays_its_own,
    only_online_plays,
    server_follows,
)
from agentbench.config.serve import RunServe, ServeKind, VllmServe
from agentbench.config.source import SourceConfig, SqliteSource, VakraSource
from agentbench.config.tasks import TasksConfig
from agentbench.config.template import TemplateConfig, TemplateKind
from agentbench.config.training_rules import (
    adapter_fits,
    batches_divide,
    best_can_be_told,
    ranks_can_train,
    reference_can_move,
    stage_can_train,
    stage_fits_itself,
    stage_has_rows,
    tiny_is_trained_alone,
    validation_has_rows,
)


class Rule(NamedTuple):
    """A rule about some top-level keys."""

    about: tuple[str, ...]
    check: Callable[..., str]
    """Takes the values of `about`, in order; gives the broken rule as a line, or an empty string."""


def broken_rules(parts: dict[str, Any]) -> list[str]:
    """The lines of all rules that the valid parts of a configuration break."""
    asked = [rule for rule in RULES if all(name in parts for name in rule.about)]
    return [line for rule in asked if (line := rule.check(*(parts[name] for name in rule.about)))]


def _template_fits_model(model: ModelConfig, template: TemplateConfig) -> str:
    teacher = template.kind is TemplateKind.TEACHER
    chat = isinstance(model, OpenAIModel) and model.mode is ApiMode.CHAT
    if chat and not teacher:
        return (
            f"template: model.mode=chat leaves the layout to the server and needs template=teacher, got {template.kind}"
        )
    if teacher and not chat:
        return "template: teacher has no layout of its own and needs model=openai with model.mode=chat"
    if isinstance(model, TinyModel) and template.kind is not TemplateKind.TINY:
        return f"template: model=tiny knows only its own format and needs template=tiny, got {template.kind}"
    if isinstance(model, OpenAIModel) and not chat and template.tokenizer is None:
        return "template.tokenizer: required with model.mode=completions: folder or hub name of the served tokenizer"
    return ""


def _served_weights_are_ours(serve: RunServe | ServeKind, model: ModelConfig) -> str:
    if isinstance(serve, VllmServe) and isinstance(model, OpenAIModel):
        return "serve: vllm computes the weights of model=tiny or model=hf; model=openai has a server of its own"
    if isinstance(serve, VllmServe) and isinstance(model, HfModel) and model.quantization is not None:
        return "model.quantization: is for this process; with serve=vllm set serve.quantization"
    return ""


def _workers_find_their_model(launcher: LauncherConfig | PlayLauncher, serve: RunServe | ServeKind) -> str:
    if isinstance(launcher, RayLauncher) and isinstance(serve, VllmServe):
        return "launcher: ray and serve=vllm do not go together; keep a server up (agentbench.serve), use model=openai"
    return ""


def _workers_play(launcher: LauncherConfig | PlayLauncher, predictions: Path | None) -> str:
    if isinstance(launcher, RayLauncher) and predictions is not None:
        return "launcher: predictions are scored by this process; leave launcher=ray away"
    return ""


def _engine_knows_sampling(agent: AgentConfig, model: ModelConfig, serve: RunServe | ServeKind) -> str:
    if isinstance(model, OpenAIModel) or isinstance(serve, VllmServe) or not agent.server_only:
        return ""
    return f"agent.{agent.server_only[0]}: only servers know it; leave it away, or use model=openai or serve=vllm"


def _own_data_needs_its_source(
    source: SourceConfig, database: Path | None, documents: Path | None, data_dir: Path | None
) -> str:
    given = "database" if database else "documents" if documents else ""
    if given and not isinstance(source, SqliteSource):
        return f"{given}: belongs to source=sqlite, not to source={source.kind}"
    if data_dir and not isinstance(source, VakraSource):
        return f"data_dir: belongs to source=vakra, not to source={source.kind}"
    return ""


def _encoder_is_named(retriever: RetrieverConfig) -> str:
    if isinstance(retriever, Bm25Retriever):
        return ""
    if retriever.encoder.kind is EncoderKind.TRANSFORMERS and not retriever.encoder.path:
        return "retriever.encoder.path: required with retriever.encoder.kind=transformers: folder or hub name"
    return ""


def _interface_fits(env: EnvConfig) -> str:
    if not isinstance(env, McpEnv):
        return ""
    shown = env.interface
    if shown.distractor_tools or shown.obfuscate_names or shown.remove_needed:
        return "env.interface: env=mcp, whose tools are unknown before it starts, has only descriptions and shortlist"
    return ""


def _shortlist_is_on(env: EnvConfig) -> str:
    if not isinstance(env, M3Env | McpEnv):
        return ""
    shortlist = env.interface.shortlist
    if shortlist.tools is None and shortlist.by is not Shortlister.BM25:
        return (
            "env.interface.shortlist.by: ranks nothing without env.interface.shortlist.tools, how many tools are shown"
        )
    return ""


def _rest_server_is_a_url(source: SourceConfig) -> str:
    if isinstance(source, VakraSource) and source.base_url and not source.base_url.startswith(("http://", "https://")):
        return f"source.base_url: {source.base_url!r} is no address; it begins with http:// or https://"
    return ""


def _mcp_needs_tasks(env: EnvConfig, tasks: TasksConfig) -> str:
    if isinstance(env, McpEnv) and tasks.file is None:
        return "tasks.file: required with env=mcp: a file with one task per line"
    return "env.servers: names no server" if isinstance(env, McpEnv) and not env.servers else ""


def _appworld_has_its_own_tasks(env: EnvConfig, tasks: TasksConfig) -> str:
    if isinstance(env, AppWorldEnv) and tasks.file is not None:
        return "tasks.file: env=appworld plays the tasks below env.root; choose among them by env.dataset"
    return ""


def _worlds_are_named(env: EnvConfig) -> str:
    if not isinstance(env, M3Env):
        return ""
    if not env.worlds:
        return "env.worlds: names no world"
    twice = sorted({name for name in env.worlds if env.worlds.count(name) > 1})
    return f"env.worlds: {', '.join(twice)} named more than once" if twice else ""


RULES = (
    Rule(("model", "template"), _template_fits_model),
    Rule(("serve", "model"), _served_weights_are_ours),
    Rule(("stage", "agent"), online_agent_is_known),
    Rule(("agent", "model", "serve"), _engine_knows_sampling),
    Rule(("launcher", "serve"), _workers_find_their_model),
    Rule(("launcher", "predictions"), _workers_play),
    Rule(("stage", "model"), stage_can_train),
    Rule(("stage", "rows", "trajectories", "iteration"), stage_has_rows),
    Rule(("rows", "validation_rows"), validation_has_rows),
    Rule(("model", "rows", "lora", "launcher", "stage"), tiny_is_trained_alone),
    Rule(("stage",), stage_fits_itself),
    Rule(("stage", "model", "lora"), adapter_fits),
    Rule(("lora", "launcher"), ranks_can_train),
    Rule(("stage", "lora", "launcher", "trainer", "validation_rows"), reference_can_move),
    Rule(("stage", "launcher", "trainer"), batches_divide),
    Rule(("stage", "trainer"), best_can_be_told),
    Rule(("stage", "rows", "validation_rows", "trajectories"), online_plays_its_own),
    Rule(("stage", "tasks", "expert_mode", "iteration"), only_online_plays),
    Rule(("stage", "launcher", "trainer"), online_batches_divide),
    Rule(("stage",), online_fits_itself),
    Rule(("stage", "serve", "model", "lora"), server_follows),
    Rule(("stage", "env"), online_credits_trees),
    Rule(("stage", "model", "lora"), online_has_reference),
    Rule(("iteration", "rows", "validation_rows", "trajectories"), rounds_make_their_rows),
    Rule(("iteration", "stage"), rounds_fit_their_stage),
    Rule(("iteration", "expert_mode"), rounds_are_labelled),
    Rule(("iteration", "tasks", "evaluate"), rounds_play_training_tasks),
    Rule(("prefs", "trajectories"), rows_have_trajectories),
    Rule(("prefs", "against"), sides_are_of_trajectories),
    Rule(("prefs",), source_has_its_settings),
    Rule(("prefs", "template"), loss_is_on_tokens),
    Rule(("prefs", "template"), help_is_measured_on_tokens),
    Rule(("prefs", "agent"), planners_learn_plans),
    Rule(("prefs", "template"), tokens_are_the_template_s),
    Rule(("prefs", "template", "cutoff_len"), lengths_are_counted),
    Rule(("source", "database", "documents", "data_dir"), _own_data_needs_its_source),
    Rule(("samples", "agent", "model", "expert_mode"), samples_differ),
    Rule(("regrade", "predictions"), regrade_is_alone),
    Rule(("labels", "judge"), labels_have_a_judge),
    Rule(("expert_mode",), alternates_need_expert),
    Rule(("expert_mode", "expert"), llm_expert_is_used),
    Rule(("expert_mode", "overseer"), llm_overseer_is_used),
    Rule(("expert_mode", "launcher"), person_is_here),
    Rule(("retriever",), _encoder_is_named),
    Rule(("env",), branches_are_used),
    Rule(("env",), branches_can_be_restored),
    Rule(("env", "expert_mode"), branches_have_their_actors),
    Rule(("env", "agent", "samples"), branches_differ),
    Rule(("env", "model"), confidence_is_known),
    Rule(("env", "predictions"), branches_are_played),
    Rule(("env",), injection_fits),
    Rule(("stage", "env"), online_shows_the_record),
    Rule(("serve", "env"), served_results_are_plain),
    Rule(("env",), _interface_fits),
    Rule(("env",), _shortlist_is_on),
    Rule(("env",), nestful_has_its_file),
    Rule(("env", "stage"), nestful_is_not_trained_on),
    Rule(("source",), _rest_server_is_a_url),
    Rule(("env", "tasks"), _mcp_needs_tasks),
    Rule(("env", "tasks"), _appworld_has_its_own_tasks),
    Rule(("env",), _worlds_are_named),
    Rule(("env",), tools_have_their_means),
    Rule(("env",), faults_are_a_share),
    Rule(("env", "tasks"), requests_are_given),
    Rule(("scorer", "judge"), ratings_have_a_judge),
    Rule(("scorer", "stage"), training_has_no_judge),
    Rule(("scorer", "tokens"), self_check_has_no_judge),
    Rule(("stage", "agent"), online_agent_speaks_once),
    Rule(("agent",), direct_tools_are_asked_nobody),
    Rule(("env",), playground_tools_are_whole),
    Rule(("env",), bfcl_categories_are_known),
    Rule(("env",), bfcl_does_not_branch),
    Rule(("env", "stage"), bfcl_is_not_trained_on),
    Rule(("env", "tokens"), bfcl_is_not_self_checked),
)
