"""Whether a request may be served, and with how much of it."""

from __future__ import annotations

from aiohttp import web

from streamroute.gateway.catalogue import Assignment
from streamroute.gateway.exchange import Exchange
from streamroute.gateway.keys import LEDGER
from streamroute.wire.openai import ClientRequest

__all__ = ("admitted",)


async def admitted(request: web.Request, asked: ClientRequest, assigned: Assignment) -> Exchange:
    """The exchange, with its account open."""
    exchange = Exchange(request, asked, assigned)
    exchange.account = request.app[LEDGER].open(exchange.entry)
    return exchange
