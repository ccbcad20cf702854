"""The filter that keeps calls which helped, with the language model that says so."""

from __future__ import annotations

from agentbench.build.models import family, system_prompt
from agentbench.config.entry import BuildPrefsConfig
from agentbench.config.model import Dtype
from agentbench.config.prefs import SftPrefs
from agentbench.errors import PreflightError
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.training_data.helpful import HelpfulCalls


def helpful_calls(config: BuildPrefsConfig) -> HelpfulCalls | None:
    """The configured filter; `None` where all calls are kept.

    Raises:
        PreflightError: the model is not there, or is not one for the template's tokens.
    """
    wanted = config.prefs.helpful if isinstance(config.prefs, SftPrefs) else None
    if wanted is None or config.template.tokenizer is None:
        return None
    from agentbench.llm.hf_likelihood import HfLikelihood
    from agentbench.llm.hf_load import load_hf

    tokenizer = load_tokenizer(config.template.tokenizer)
    model = load_hf(wanted.path, None, Dtype.FLOAT32, wanted.device)
    if max(tokenizer.control_ids, default=0) >= model.config.vocab_size:
        problem = (
            f"prefs.helpful.path={wanted.path!r}: the model has {model.config.vocab_size} tokens, the template more"
        )
        raise PreflightError(problem, "take a model with the template's tokenizer")
    layout = TokenTemplate(
        family(config.template.kind, config.template.thinking), tokenizer, system_prompt(config.agent)
    )
    return HelpfulCalls(layout, frozenset(tokenizer.control_ids), HfLikelihood(model), wanted.threshold)
