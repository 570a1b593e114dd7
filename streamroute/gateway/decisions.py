"""GET /v1/decisions/{id}: why a request was answered as it was."""

from __future__ import annotations

import msgspec
from aiohttp import web

from streamroute.gateway.errors import refusal
from streamroute.gateway.keys import CLIENT, LEDGER

__all__ = ("decision",)


async def decision(request: web.Request) -> web.Response:
    """What the ledger knows of one request, by its `x-request-id` or the id of its reply: the verdict and its evidence,
    every leg, what it cost. Never a text. A client with a key of its own sees its own requests, unless the key may see
    the board."""
    id, key = request.match_info["id"], request[CLIENT].key
    own = None if key is None or key.board else key.name
    found = await request.app[LEDGER].decision(id, key=own)
    if found is None:
        raise refusal(404, f"no request is known by the id {id!r}", code="decision_not_found", param="id")
    return web.Response(body=msgspec.json.encode({"object": "decision", **found}), content_type="application/json")
