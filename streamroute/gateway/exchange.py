"""One request and its reply, from the moment that it is known what is asked to the moment that it is settled."""

from __future__ import annotations

import dataclasses
import time
import uuid

from aiohttp import web

from streamroute.gateway.catalogue import Assignment
from streamroute.gateway.errors import problem_of
from streamroute.gateway.keys import NOTES
from streamroute.gateway.ledger.entries import Account, Outcome
from streamroute.gateway.ledger.unkept import UNKEPT
from streamroute.gateway.telling import route_notes
from streamroute.routing.stream import Route
from streamroute.wire.openai import ClientRequest

__all__ = ("Exchange",)


@dataclasses.dataclass(slots=True)
class Exchange:
    """The reply bears the model name that was asked for. `shed` names what the amplification budget left out,
    `reply_id` is the upstream's own id of a reply that was passed on."""

    request: web.Request
    asked: ClientRequest
    assigned: Assignment
    account: Account = UNKEPT
    id: str = dataclasses.field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = dataclasses.field(default_factory=lambda: int(time.time()))
    began: float = dataclasses.field(default_factory=time.perf_counter)
    shed: tuple[str, ...] = ()
    reply_id: str | None = None
    settled: bool = False

    @property
    def route(self) -> str:
        return self.assigned.served.settings.name

    @property
    def logprobs(self) -> bool:
        return bool(self.asked.params.get("logprobs"))

    def settle(self, route: Route, *, status: int, error: str | None = None) -> None:
        """Into the ledger and the log line; later calls are ignored. Await `account.written` before the client is told
        that its request is over."""
        if self.settled:
            return
        self.settled = True
        self.request[NOTES].update(route_notes(route, self.route, self.assigned.unjudged))
        self.account.settle(
            Outcome(
                status=status,
                seconds=time.perf_counter() - self.began,
                route=route,
                unjudged=self.assigned.unjudged,
                shed=self.shed,
                error=error,
                reply_id=self.reply_id,
            )
        )

    async def failed(self, route: Route, error: Exception) -> None:
        """Settle an exchange that ends with `error` instead of a reply."""
        problem = problem_of(error)
        self.settle(route, status=problem.status, error=problem.message)
        await self.account.written()
