"""One line of JSON a request. Never a prompt, never an answer, never a key."""

from __future__ import annotations

import sys
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


def json_logger(stream: TextIO | None = None) -> Logger:
    """Writes JSON lines with level and UTC time to `stream`, standard error unless told; nothing below "info"."""
    wrapped = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr if stream is None else stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return cast("Logger", wrapped)
