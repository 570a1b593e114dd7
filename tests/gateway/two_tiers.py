"""Two recording model servers behind a gateway that was composed from settings: everything real but the models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from streamroute.config.compose import compose
from streamroute.config.load import loads
from streamroute.config.settings import ServerSettings
from streamroute.gateway.app import create_app
from streamroute.gateway.keys import IN_FLIGHT
from streamroute.gateway.ledger.entries import Ledger
from streamroute.gateway.process.server import listening
from streamroute.testing import ScriptedScorer
from streamroute.uncertainty.base import Scorer
from tests.gateway.served import RecordingLog
from tests.support.upstream_server import Reply, Seen, UpstreamServer

CONFIG = """
[[upstream]]
name = "cheap"
kind = "openai"
base_url = "{cheap}"
model = "small-1"

[[upstream]]
name = "large"
kind = "openai"
base_url = "{large}"
model = "large-1"

[[route]]
name = "auto"
tiers = ["cheap", "large"]
probes = {{ count = 3, temperature = 1.25 }}
"""


class ModelServer(UpstreamServer):
    """Answers and probes have replies of their own: a probe is told by its temperature. `scenes` maps the last message
    of a request to (answer, probe); `answer` and `probe` are for the rest."""

    def __init__(self, answer: Reply, probe: Reply | None = None) -> None:
        super().__init__()
        self.scenes: dict[str, tuple[Reply, Reply]] = {}
        self.answer, self.probe = answer, probe or answer

    def _reply(self, body: Mapping[str, Any]) -> Reply:
        asked = body["messages"][-1]["content"] if "messages" in body else ""
        answer, probe = self.scenes.get(asked, (self.answer, self.probe))
        return probe if is_probe(body) else answer


def is_probe(body: Mapping[str, Any]) -> bool:
    return body.get("temperature") == 1.25


@dataclass
class Stage:
    """What a test holds: the gateway's address, and the servers behind it."""

    cheap: ModelServer
    large: ModelServer
    url: str
    app: web.Application
    log: RecordingLog
    clients: list[RawClient] = field(default_factory=list)

    async def ask(self, **body: Any) -> RawClient:
        client = await RawClient.asking(self.url, **body)
        self.clients.append(client)
        return client

    @property
    def seen(self) -> list[Seen]:
        return self.cheap.seen + self.large.seen

    @property
    def running(self) -> int:
        return self.cheap.running + self.large.running

    @property
    def in_flight(self) -> int:
        return len(self.app[IN_FLIGHT])

    async def quiet(self) -> None:
        """Until no model answers any more, and the gateway has noticed."""
        for server in (self.cheap, self.large):
            await server.until(lambda server=server: server.running == 0)  # type: ignore[misc]
        await self.app[IN_FLIGHT].empty()


@asynccontextmanager
async def staged(
    cheap: ModelServer,
    large: ModelServer,
    *,
    scorer: Scorer | None = None,
    config: str = CONFIG,
    ledger: Ledger | None = None,
    keep_alive: float = 15.0,
) -> AsyncGenerator[Stage]:
    async with cheap, large:
        # A deadline passes in real time: on a busy machine before a route is where the test waits for it.
        settings = loads(f"{config.format(cheap=cheap.url, large=large.url)}decision_deadline = inf\n")
        async with compose(settings, scorer=scorer or ScriptedScorer()) as routes:
            log = RecordingLog()
            app = create_app(routes, log=log, ledger=ledger, keep_alive=keep_alive)
            async with listening(app, ServerSettings(port=0, drain_seconds=0)) as url:
                stage = Stage(cheap, large, url, app, log)
                try:
                    yield stage
                finally:
                    # What a failing test leaves open the collector would find in the middle of another one.
                    for client in stage.clients:
                        client.writer.transport.abort()


@dataclass
class RawClient:
    """A client that can leave without a word."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def asking(cls, url: str, **body: Any) -> RawClient:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        data = json.dumps(body).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        return cls(reader, writer)

    async def until_said(self, text: str) -> None:
        """Until `text` has come over the wire."""
        tail = b""
        while text.encode() not in tail:
            read = await self.reader.read(65536)
            assert read, "the connection ended first"
            tail = tail[-len(text) :] + read

    async def leave(self, *, rudely: bool) -> None:
        """Close the connection, or reset it."""
        if rudely:
            self.writer.transport.abort()
        self.writer.close()
