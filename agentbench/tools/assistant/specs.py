"""What an agent is told about an assistant's tools."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from agentbench.types import ToolKind, ToolSpec


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Calculate(_Arguments):
    """Arguments of `calculator`."""

    expression: str = Field(
        min_length=1, description="Numbers, + - * / // % **, brackets, pi, e, sqrt(), round(), min() and the like."
    )


class SearchEncyclopedia(_Arguments):
    """Arguments of `search_encyclopedia`."""

    query: str = Field(min_length=1, description="What to look for: a name, a term or a question.")


class SearchWeb(_Arguments):
    """Arguments of `search_web`."""

    query: str = Field(min_length=1, description="Words for the search engine.")
    question: str = Field(
        default="", description="What the pages are to tell. If left out, what they say about the query."
    )


class RunPython(_Arguments):
    """Arguments of `run_python`."""

    code: str = Field(min_length=1, description="A Python program; what it prints is the result.")


class AskUser(_Arguments):
    """Arguments of `ask_user`."""

    question: str = Field(min_length=1, description="One question, as the user will read it.")


class SendEmail(_Arguments):
    """Arguments of `send_email`."""

    to: str = Field(min_length=3, description="Address of the recipient.")
    subject: str = Field(description="Subject line.")
    body: str = Field(description="Text of the message.")


class CreateEvent(_Arguments):
    """Arguments of `create_event`."""

    title: str = Field(min_length=1, description="What the calendar shows.")
    start: str = Field(description="Local date and time, as 2025-03-14T09:30.")
    end: str = Field(description="Local date and time, as 2025-03-14T10:30; not before the start.")
    location: str = Field(default="", description="Where it takes place.")


def spec(name: str, description: str, arguments: type[BaseModel], kind: ToolKind = ToolKind.FUNCTION) -> ToolSpec:
    """A tool's spec with the schema of its arguments' model, without the titles that pydantic makes up."""
    return ToolSpec(name, description, _untitled(arguments.model_json_schema()), kind)


def _untitled(schema: dict[str, object]) -> dict[str, object]:
    """A model's schema as an agent reads it: `description` says what `title` would."""
    properties = schema["properties"]
    assert isinstance(properties, dict)
    plain = {name: {key: value for key, value in each.items() if key != "title"} for name, each in properties.items()}
    rest = {key: value for key, value in schema.items() if key not in ("title", "description", "properties")}
    return {**rest, "properties": plain}


CALCULATOR = spec("calculator", "Works out an arithmetic expression, such as (17 + 4) * 2.5 or sqrt(2).", Calculate)
SEARCH_ENCYCLOPEDIA = spec(
    "search_encyclopedia",
    "Searches an encyclopedia by meaning and gives the passages that fit best.",
    SearchEncyclopedia,
    ToolKind.RETRIEVER,
)
SEARCH_WEB = spec("search_web", "Searches the internet and sums up what the best pages say.", SearchWeb)
RUN_PYTHON = spec(
    "run_python",
    "Runs a Python program without network access and gives what it prints. Nothing is kept between calls.",
    RunPython,
    ToolKind.CODE,
)
ASK_USER = spec("ask_user", "Asks the user something that the request leaves open.", AskUser)
SEND_EMAIL = spec("send_email", "Sends an email in the user's name.", SendEmail)
CREATE_EVENT = spec("create_event", "Puts an event into the user's calendar.", CreateEvent)
