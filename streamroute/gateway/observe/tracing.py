"""Traces of requests, behind one method: `otel` beside this keeps them, without it they are only passed on."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

import anyio

from streamroute.config.settings import Settings
from streamroute.core.types import Leg
from streamroute.errors import ConfigError
from streamroute.gateway.ledger.entries import Opened, Outcome
from streamroute.gateway.log import Logger
from streamroute.gateway.observe.tracecontext import TraceContext

__all__ = ("PassedOn", "Trace", "Tracing", "traced")


class Trace(Protocol):
    """One request in its trace."""

    @property
    def id(self) -> str | None:
        """The trace id in hex; None where the request is in no trace."""
        ...

    def headers(self, leg: Leg | None = None) -> Mapping[str, str]:
        """What an upstream request of this leg bears, so that what it does there belongs to the same trace. None: of
        the request as a whole, where there are no legs."""
        ...

    def ended(self, entry: Opened, outcome: Outcome) -> None:
        """All of it. Returns at once and never raises; what comes after the first is ignored."""
        ...


class Tracing(Protocol):
    """Begins traces."""

    def begin(self, headers: Mapping[str, str]) -> Trace:
        """That of a request with these headers."""
        ...


class _Passed:
    """A request of which nothing is kept: its client's trace context goes on to the upstreams unchanged."""

    __slots__ = ("_context",)

    def __init__(self, context: TraceContext | None) -> None:
        self._context = context

    @property
    def id(self) -> str | None:
        return None if self._context is None else self._context.trace_id

    def headers(self, leg: Leg | None = None) -> Mapping[str, str]:
        return {} if self._context is None else self._context.headers()

    def ended(self, entry: Opened, outcome: Outcome) -> None:
        pass


class PassedOn:
    """Traces without OpenTelemetry."""

    def begin(self, headers: Mapping[str, str]) -> Trace:
        return _Passed(TraceContext.of(headers))


@asynccontextmanager
async def traced(settings: Settings, log: Logger) -> AsyncGenerator[Tracing]:
    """The tracing that is configured; leaving it sends what has not been sent. Raises `ConfigError` where the extra
    `otel` is missing."""
    otel = settings.server.otel
    if otel is None:
        yield PassedOn()
        return
    try:
        from streamroute.gateway.observe.otel import otel_tracing, to_collector
    except ImportError as error:
        raise ConfigError(f"server.otel needs the extra `otel`: pip install 'streamroute[otel]' ({error})") from error
    with _in_our_log(log):
        tracing = otel_tracing(settings, otel, to_collector(otel), log)
        try:
            yield tracing
        finally:
            with anyio.CancelScope(shield=True):  # what stops the server must not cost the last traces
                await anyio.to_thread.run_sync(tracing.close)


class _Told(logging.Handler):
    """What a library's logger says, in ours."""

    def __init__(self, log: Logger) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.warning("tracing", message=record.getMessage())


@contextmanager
def _in_our_log(log: Logger) -> Iterator[None]:
    """A collector that cannot be reached is told as lines of JSON too."""
    theirs, told = logging.getLogger("opentelemetry"), _Told(log)
    before, theirs.propagate = theirs.propagate, False
    theirs.addHandler(told)
    try:
        yield
    finally:
        theirs.removeHandler(told)
        theirs.propagate = before
