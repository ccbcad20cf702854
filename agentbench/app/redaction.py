"""Logs and uncaught errors without secrets, whoever wrote them."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from types import TracebackType

from dotenv import dotenv_values, find_dotenv

from agentbench.config.secrets import hide, redacted_message, secret_values


def hide_environment() -> None:
    """Blots out from now on what variables and a `.env` hold whose names speak of a secret, of uncaught errors too.

    Keys under other names are blotted out as soon as they are read.
    """
    hide(*secret_values({**dotenv_values(find_dotenv(usecwd=True)), **os.environ}))
    sys.excepthook = _print_redacted


def redact_logs() -> None:
    """Lines of the root logger's handlers, tracebacks in them included, are blotted from now on."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, _Redacting):
            handler.setFormatter(_Redacting(handler.formatter or logging.Formatter()))


def print_traceback() -> None:
    """The exception that is being handled, as Python prints it, on stderr."""
    print(redacted_message(traceback.format_exc()), end="", file=sys.stderr)


class _Redacting(logging.Formatter):
    """Another formatter's lines, blotted."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The whole text of a record, its traceback too."""
        return redacted_message(self._inner.format(record))


def _print_redacted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    print(redacted_message("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)
