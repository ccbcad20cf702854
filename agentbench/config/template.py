"""How a history is written for a model."""

from __future__ import annotations

from enum import StrEnum

from agentbench.config.schema import schema


class TemplateKind(StrEnum):
    """One per model family."""

    TINY = "tiny"
    STUDENT_QWEN3 = "student_qwen3"
    STUDENT_QWEN25 = "student_qwen25"
    STUDENT_MISTRAL = "student_mistral"
    STUDENT_GRANITE3 = "student_granite3"
    STUDENT_DEEPSEEK_CODER = "student_deepseek_coder"
    STUDENT_STARCODER2 = "student_starcoder2"
    TEACHER = "teacher"


@schema
class TemplateConfig:
    """The layout, and the tokenizer that turns it into ids."""

    kind: TemplateKind
    tokenizer: str | None = None
    """Folder or hub name of a tokenizer. Off: the model's own."""
    thinking: bool = True
    """Whether a model that can think may open with a thought of its own; off is a choice of student_qwen3 alone."""
