"""One line of JSON a request. Never a key; a prompt or an answer only where that is asked for."""

from __future__ import annotations

import sys
import traceback
from typing import Any, Protocol, TextIO, cast

import msgspec
import structlog

__all__ = ("Logger", "json_logger")


class Logger(Protocol):
    """What the gateway asks of a logger; structlog's loggers are such."""

    def debug(self, event: str, **fields: Any) -> Any: ...
    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...
    def exception(self, event: str, **fields: Any) -> Any: ...


def _json(fields: Any, **_: Any) -> str:
    return msgspec.json.encode(fields, enc_hook=repr).decode()


def json_logger(stream: TextIO | None = None, *, texts: bool = False) -> Logger:
    """Writes JSON lines with level and UTC time to `stream`, standard error unless told; nothing below "info".

    Of an unexpected error only its kind and place are written, with `texts` also its message, which may hold anything.
    """
    wrapped = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr if stream is None else stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if texts else structlog.processors.ExceptionRenderer(_without_message),
            structlog.processors.JSONRenderer(_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return cast("Logger", wrapped)


def _without_message(exc_info: Any) -> str:
    """The traceback of an error and of those that led to it, each named by its type alone."""
    parts: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None and len(parts) < 16:
        frames = "".join(traceback.format_tb(error.__traceback__))
        parts.append(f"{frames}{type(error).__qualname__}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nafter:\n".join(parts)
