"""A model server that stops in the middle of an answer until it is let go on: to change things under a stream."""

from __future__ import annotations

import asyncio

from aiohttp import web

from tests.gateway.two_tiers import ModelServer
from tests.support.upstream_server import Reply, Seen, _Chunks

__all__ = ("SLOWLY", "GatedServer")

SLOWLY = [{"role": "user", "content": "Slowly?"}]
"""What is answered "It is", and " Canberra." once `go` is set."""


class GatedServer(ModelServer):
    def __init__(self, answer: Reply, probe: Reply | None = None) -> None:
        super().__init__(answer, probe)
        self.go = asyncio.Event()

    async def _answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        if seen.body["messages"] != SLOWLY:
            return await super()._answer(request, seen)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        chunks = _Chunks(seen.body)
        await response.write(chunks.opening() + chunks.text("It is"))
        await self.go.wait()
        await response.write(chunks.text(" Canberra.") + chunks.end(Reply()))
        return response
