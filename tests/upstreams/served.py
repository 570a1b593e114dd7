"""An OpenAI upstream beside a server that is scripted, or one that is not even a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from streamroute.errors import (
    UpstreamError,
)
from streamroute.upstreams.base import ChatRequest
from streamroute.upstreams.openai import OpenAIUpstream
from tests.support.upstream_server import Reply, UpstreamServer
from tests.upstreams.harness import REQUEST, collect


@asynccontextmanager
async def serving(reply: Reply | None = None, **settings: Any) -> AsyncGenerator[tuple[UpstreamServer, OpenAIUpstream]]:
    async with UpstreamServer() as server:
        if reply is not None:
            server.default = reply
        upstream = OpenAIUpstream(**{"name": "cheap", "base_url": server.url, "model": "small-1", **settings})
        try:
            yield server, upstream
        finally:
            await upstream.aclose()


async def failure(upstream: OpenAIUpstream, request: ChatRequest = REQUEST) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await collect(upstream, request)
    return caught.value


Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(peer: Peer) -> AsyncGenerator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await peer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def read_request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    await reader.readexactly(length)
