"""What the parts of the gateway find in aiohttp's application and request."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from aiohttp import web

from streamroute.config.settings import LimitSettings
from streamroute.gateway.access.auth import CLIENT
from streamroute.gateway.catalogue import Catalogue
from streamroute.gateway.journal import Journal
from streamroute.gateway.ledger.entries import Ledger
from streamroute.gateway.observe.tracing import Tracing
from streamroute.gateway.process.generation import Generations
from streamroute.gateway.process.inflight import InFlight
from streamroute.gateway.shadows import Shadows

__all__ = (
    "BEGUN",
    "CATALOGUE",
    "CLIENT",
    "GENERATIONS",
    "IN_FLIGHT",
    "JOURNAL",
    "KEEP_ALIVE",
    "LEDGER",
    "LIMITS",
    "LOG_TEXTS",
    "NOTES",
    "REPLIES",
    "REQUEST_ID",
    "SHADOWS",
    "STARTED",
    "TRACING",
)

CATALOGUE: Final = web.AppKey("catalogue", Catalogue)
GENERATIONS: Final = web.AppKey("generations", Generations)
"""Whose `settings` are those that hold now."""
JOURNAL: Final = web.AppKey("journal", Journal)
IN_FLIGHT: Final = web.AppKey("in_flight", InFlight)
KEEP_ALIVE: Final = web.AppKey("keep_alive", float)
"""Seconds of silence after which a streaming client gets a comment."""
LEDGER: Final = web.AppKey("ledger", Ledger)
LIMITS: Final = web.AppKey("limits", LimitSettings)
LOG_TEXTS: Final = web.AppKey("log_texts", bool)
"""Whether prompts and answers may stand in the log."""
REQUEST_ID: Final = web.RequestKey("request_id", str)
BEGUN: Final = web.RequestKey("begun", web.StreamResponse)
"""The reply, once its head is on its way."""
NOTES: Final = web.RequestKey("notes", dict[str, Any])
"""What is said in the request's log line. A `status` in it wins over the response's."""
STARTED: Final = web.AppKey("started", float)
"""When the application was made, by `time.monotonic`."""
TRACING: Final = web.AppKey("tracing", Tracing)
REPLIES: Final = web.AppKey("replies", Counter[tuple[int, str]])
"""How many replies of this process had this status and error code, "" for none: what was refused is in no ledger."""
SHADOWS: Final = web.AppKey("shadows", Shadows)
