"""Whether a request may be served, and with how much of it."""

from __future__ import annotations

import time

from aiohttp import web

from streamroute.gateway.catalogue import Assignment
from streamroute.gateway.exchange import Exchange
from streamroute.gateway.keys import CLIENT, LEDGER, REQUEST_ID
from streamroute.gateway.ledger.entries import Opened
from streamroute.wire.openai import ClientRequest

__all__ = ("admitted",)


async def admitted(request: web.Request, asked: ClientRequest, assigned: Assignment) -> Exchange:
    """The exchange, with its account open."""
    exchange = Exchange(request, asked, assigned)
    entry = Opened(
        id=request[REQUEST_ID],
        reply_id=exchange.id,
        path=request.path,
        key=request[CLIENT].name,
        route=exchange.route,
        asked=asked.model,
        stream=asked.stream,
        started=time.time(),
    )
    exchange.account = request.app[LEDGER].open(entry)
    return exchange
