"""What the ledger is told of a request, and what it says of what may still be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from streamroute.routing.stream import Route

__all__ = ("Account", "Exceeded", "Ledger", "Limits", "Opened", "Outcome", "Standing", "Total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A request that is about to be served. `id` is its `x-request-id`, `reply_id` the id in its reply's body, `key`
    the name of the client's key, `started` in seconds since the epoch. `extra_calls` and `extra_cost` are what it may
    take of its route's amplification budget: reserved until it is settled.
    """

    id: str
    reply_id: str
    path: str
    key: str | None
    route: str
    asked: str
    stream: bool
    started: float
    extra_calls: int = 0
    extra_cost: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it ended: the status that the client saw (499: it had left), all that the route did, why it was not judged,
    what was shed of it (`probes`, `hedge`, `judging`) for the amplification budget, and the code of its failure.
    `reply_id` is the id in the reply's body where it is the upstream's and not that of `Opened`. `largest_cost`
    estimates what the answer that stands would have cost of the route's largest tier, None where that has no price."""

    status: int
    seconds: float
    route: Route
    unjudged: str | None = None
    shed: Sequence[str] = ()
    error: str | None = None
    reply_id: str | None = None
    largest_cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a request must keep within; None: any. Requests of its key in the last 60 seconds; money of its key and of
    its route in the current UTC day and month; extra calls and their money of its route in the last 60 seconds."""

    key_requests: int | None = None
    key_day: float | None = None
    key_month: float | None = None
    route_day: float | None = None
    route_month: float | None = None
    extra_calls: int | None = None
    extra_cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceeded:
    """The first limit, by its name in `Limits`, that there is nothing left of; `retry_after` in seconds."""

    limit: str
    allowed: float
    retry_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a request that is admitted may take of its route's amplification budget; None: any."""

    extra_calls: int | None = None
    extra_cost: float | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """One number of the whole: a counter, or a bucket of a histogram (`labels` then hold `le`)."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Account(Protocol):
    """One request in the ledger."""

    def settle(self, outcome: Outcome) -> None:
        """Once; what comes after the first is ignored. Returns at once, `written` waits."""
        ...

    async def written(self) -> None:
        """Until all that was said of this request so far survives the death of the process. Raises `LedgerError`."""
        ...


class Ledger(Protocol):
    """Accounts of requests. No method blocks the event loop."""

    def open(self, entry: Opened) -> Account:
        """Begin an account, of a request without limits."""
        ...

    async def admit(self, entry: Opened, limits: Limits) -> tuple[Account, Standing] | Exceeded:
        """Begin an account if the limits allow it, in one step, over all processes that share the ledger. What `entry`
        asks for of the amplification budget is cut down to what there is of it. A request is in the ledger when this
        returns. Raises `LedgerError`."""
        ...

    async def decision(self, id: str, *, key: str | None = None) -> Mapping[str, Any] | None:
        """Everything about the last request with that id, its own or its reply's; texts are never in it. With `key`
        only of those that came with the key of that name. Raises `LedgerError`, as do the next two."""
        ...

    async def recent(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """The last requests, newest first, without their legs."""
        ...

    async def totals(self) -> Sequence[Total]:
        """All counters and histograms since the ledger was begun."""
        ...

    async def aclose(self) -> None:
        """Write what is to be written, and close."""
        ...
