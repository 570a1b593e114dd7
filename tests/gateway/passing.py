"""Model servers that say their own bytes, and what a client gets of them."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.gateway.books import Books
from tests.gateway.served import Reply as Got
from tests.gateway.two_tiers import CONFIG, ModelServer, Stage, staged
from tests.support.upstream_server import Reply

ASK: dict[str, Any] = {"model": "cheap", "messages": [{"role": "user", "content": "Capital?"}], "stream": True}
OWN = (
    b'data: {"id":"own-1","odd":[1],"model":"m","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n',
    b": comment\n\n",
    b'data: {"id":"own-1","choices":[{"index":0,"delta":{"reasoning_content":"Hm."}}],"usage":null}\r\n\r\n',
    'data: {"id":"own-1","choices":[{"index":0,"delta":{"content":"Å"},"finish_reason":null}]}\n\n'.encode(),
    b'data: {"id":"own-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"service_tier":"x"}\n\n',
)
TOLD = b'data: {"id":"own-1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"extra":1}}\n\n'
DONE = b"data: [DONE]\n\n"


@asynccontextmanager
async def stage(
    cheap: Reply,
    large: Reply | None = None,
    *,
    config: str = CONFIG,
    keep_alive: float = math.inf,
    books: Books | None = None,
) -> AsyncGenerator[tuple[Stage, Books, aiohttp.ClientSession]]:
    books = books or Books()
    servers = ModelServer(cheap), ModelServer(large or Reply.of("Large."))
    gateway = staged(*servers, config=config, ledger=books, keep_alive=keep_alive)
    async with gateway as made, aiohttp.ClientSession() as http:
        yield made, books, http


async def post(made: Stage, http: aiohttp.ClientSession, body: Any = None, *, to: str = "chat/completions") -> Got:
    data = body if isinstance(body, bytes) else json.dumps(ASK if body is None else body).encode()
    async with http.post(f"{made.url}/v1/{to}", data=data) as response:
        return Got(response.status, response.headers, await response.read())


def raw(*blocks: bytes, end: Any = "abort", **fields: Any) -> Reply:
    """A model that says these bytes and nothing else, not even what `UpstreamServer` says by itself."""
    return Reply([(0, block) for block in blocks], end=end, **fields)


WHOLE = {
    "id": "own-2",
    "model": "small-1",
    "odd": 1,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Canberra"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 4, "completion_tokens": 3},
}


def whole(document: Any = WHOLE, **fields: Any) -> Reply:
    return Reply(body=json.dumps(document).encode(), content_type="application/json", **fields)


def opened(got: bytes) -> bytes:
    """Without what the server says first by itself."""
    _, _, rest = got.partition(b"\n\n")
    return rest
