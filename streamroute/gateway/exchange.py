"""One request and its reply, from the moment that it is known what is asked to the moment that it is settled."""

from __future__ import annotations

import dataclasses
import time
import uuid
from typing import Any

from aiohttp import web

from streamroute.core.types import Leg
from streamroute.gateway.catalogue import Assignment
from streamroute.gateway.errors import Problem, logged, problem_of
from streamroute.gateway.keys import CLIENT, LOG_TEXTS, NOTES, REQUEST_ID, TRACING
from streamroute.gateway.ledger.entries import Account, Opened, Outcome
from streamroute.gateway.observe.tracing import Trace
from streamroute.gateway.telling import route_fields, route_headers, route_notes, usage_of
from streamroute.routing.stream import Route
from streamroute.routing.tiers import Price
from streamroute.wire.openai import ClientRequest

__all__ = ("Exchange",)


@dataclasses.dataclass(slots=True)
class Exchange:
    """The reply bears the model name that was asked for; `account` is its own in the ledger. `probes` and `hedge` are
    what `Router.stream` is told of them, `shed` names what the amplification budget left out, `reply_id` is the
    upstream's own id of a reply that was passed on. `entry` is the request as the ledger is told of it."""

    request: web.Request
    asked: ClientRequest
    assigned: Assignment
    account: Account = dataclasses.field(init=False)
    id: str = dataclasses.field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    began: float = dataclasses.field(default_factory=time.perf_counter)
    probes: int | None = None
    hedge: bool = True
    shed: tuple[str, ...] = ()
    reply_id: str | None = None
    settled: bool = False
    entry: Opened = dataclasses.field(init=False)
    trace: Trace = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.entry = Opened(
            id=self.request[REQUEST_ID],
            reply_id=self.id,
            path=self.request.path,
            key=self.request[CLIENT].name,
            route=self.route,
            asked=self.asked.model,
            stream=self.asked.stream,
            started=time.time(),
        )
        self.trace = self.request.app[TRACING].begin(self.request.headers)
        if self.trace.id is not None:
            self.request[NOTES]["trace_id"] = self.trace.id

    @property
    def created(self) -> int:
        """Seconds since the epoch."""
        return int(self.entry.started)

    @property
    def route(self) -> str:
        return self.assigned.served.settings.name

    @property
    def logprobs(self) -> bool:
        return bool(self.asked.params.get("logprobs"))

    def reply_fields(self, route: Route) -> dict[str, Any]:
        """What the reply's field `streamroute` says of a route that is over."""
        return route_fields(route, self.route, self.assigned.unjudged, self.shed)

    def reply_headers(self, route: Route) -> dict[str, str]:
        """What the reply's headers say of a route when its first byte is sent."""
        return route_headers(route, self.route, self.assigned.unjudged, self.shed)

    def leg_headers(self, leg: Leg | None = None) -> dict[str, str]:
        """What a request to an upstream bears of this one: its id, and its place in its trace. None: a request that
        is no leg of a route."""
        return {"x-request-id": self.entry.id, **self.trace.headers(leg)}

    def settle(self, route: Route, *, status: int, error: str | None = None) -> None:
        """Into the ledger, the log line and the trace, a route that is over; later calls are ignored. `error` is the
        code of a failure, never its text. Await `account.written` before the client is told that its request is over.
        """
        if self.settled:
            return
        self.settled = True
        self.request[NOTES].update(route_notes(route, self.route, self.assigned.unjudged, self.shed))
        if error is not None:
            self.request[NOTES].setdefault("error", error)
        if self.request.app[LOG_TEXTS]:
            self.request[NOTES].update(prompt=self.asked.messages, answer=route.answer)
        outcome = Outcome(
            status=status,
            seconds=time.perf_counter() - self.began,
            route=route,
            unjudged=self.assigned.unjudged,
            shed=self.shed,
            error=error,
            reply_id=self.reply_id,
            largest_cost=self._largest_cost(route),
        )
        self.account.settle(outcome)
        self.trace.ended(self.entry, outcome)

    def _largest_cost(self, route: Route) -> float | None:
        price, usage = self.assigned.served.router.tiers[-1].price, usage_of(route)
        return price.of(usage.prompt_tokens, usage.completion_tokens) if price != Price() else None

    async def begin(self, route: Route, content_type: str = "text/event-stream") -> web.StreamResponse:
        """Send the head of a streamed reply, once the ledger knows of the request. Raises `LedgerError`."""
        headers = self.reply_headers(route)
        headers |= {"Content-Type": content_type, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await self.account.written()
        await response.prepare(self.request)
        return response

    def broken_off(self, error: Exception) -> Problem:
        """What a reply that has begun tells of its failure, which the log line tells too."""
        problem = dataclasses.replace(problem_of(error), request_id=self.request[REQUEST_ID])
        self.request[NOTES].update(error=self.logged(error), code=problem.code, status=problem.status)
        return problem

    async def failed(self, route: Route, error: Exception) -> None:
        """Settle an exchange that ends with `error` instead of a reply."""
        problem = problem_of(error)
        self.request[NOTES].setdefault("error", self.logged(error))
        self.settle(route, status=problem.status, error=problem.code)
        await self.account.written()

    def logged(self, error: Exception) -> str:
        """What the log may say of it."""
        return logged(error, texts=self.request.app[LOG_TEXTS])
