"""A gateway on a real loopback socket, over scripted models and a scripted judge."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from openai import AsyncOpenAI

from streamroute.config.compose import ServedRoute
from streamroute.config.settings import RouteSettings, ServerSettings
from streamroute.core.plan import AutoRelease
from streamroute.gateway.app import create_app
from streamroute.gateway.journal import Journal
from streamroute.gateway.ledger.entries import Ledger
from streamroute.gateway.process.server import listening
from streamroute.routing.router import Price, ProbePlan, Router, Tier
from streamroute.testing import Script, ScriptedScorer, ScriptedUpstream, run_virtual
from streamroute.uncertainty.base import Scorer

QUESTION = [{"role": "user", "content": "What is the capital of Australia?"}]
RIGHT, WRONG = "It is Canberra.", "It is Sydney."


class RecordingLog:
    """A `Logger` that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def _keep(self, event: str, **fields: Any) -> None:
        self.lines.append({"event": event, **fields})

    debug = info = warning = exception = _keep


@dataclass
class Served:
    """What a test holds of a running gateway."""

    cheap: ScriptedUpstream
    large: ScriptedUpstream
    url: str
    app: web.Application
    log: RecordingLog
    client: AsyncOpenAI
    http: aiohttp.ClientSession = field(repr=False)

    async def post(self, body: Any, *, path: str = "/v1/chat/completions", **headers: str) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.post(self.url + path, data=data, headers=named) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str, **headers: str) -> Reply:
        async with self.http.get(self.url + path, headers=headers) as response:
            return Reply(response.status, response.headers, await response.read())

    @property
    def running(self) -> int:
        return self.cheap.running + self.large.running


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error of an error reply, which must have OpenAI's shape."""
        error: dict[str, Any] = self.json["error"]
        assert {"message", "type", "param", "code"} <= error.keys()
        return error

    @property
    def events(self) -> list[Any]:
        """The events of a streamed reply; `[DONE]` as that string. Comments are none."""
        blocks = [block for block in self.body.decode().split("\n\n") if block and not block.startswith(":")]
        return [data if (data := block.removeprefix("data: ")) == "[DONE]" else json.loads(data) for block in blocks]


def agreeing(**fields: Any) -> ScriptedUpstream:
    """A cheap model whose probes say what its answer says: it will be kept."""
    return ScriptedUpstream(RIGHT, [RIGHT], name="cheap", model="small-1", **fields)


def disagreeing(**fields: Any) -> ScriptedUpstream:
    """A cheap model whose probes contradict it: it will be escalated."""
    return ScriptedUpstream(WRONG, ["a", "b", "c"], name="cheap", model="small-1", **fields)


def larger(answer: Script | str = RIGHT, **fields: Any) -> ScriptedUpstream:
    return ScriptedUpstream(answer, name="large", model="large-1", **fields)


SHOWS = AutoRelease(annoyance=2.0)
"""An `auto` release that shows what nothing is known of."""


@asynccontextmanager
async def serving(
    cheap: ScriptedUpstream | None = None,
    large: ScriptedUpstream | None = None,
    *,
    scorer: Scorer | None = None,
    server: ServerSettings | None = None,
    api_key: str | None = None,
    max_body_bytes: int = 1 << 20,
    route: RouteSettings | None = None,
    journal: Journal | None = None,
    ledger: Ledger | None = None,
    router: Mapping[str, Any] | None = None,
    prices: tuple[Price, Price] = (Price(), Price()),
    **more: Any,
) -> AsyncGenerator[Served]:
    """The route `auto` over `cheap` and `large`, three probes, at a free port; `router` is more for the
    router, `more` for `create_app`."""
    cheap, large = cheap or agreeing(), large or larger()
    server = server or ServerSettings(port=0, drain_seconds=0)
    settings = route or RouteSettings(name="auto", tiers=("cheap", "large"))
    tiers = [
        Tier(upstream=cheap, probes=ProbePlan(count=3), price=prices[0]),
        Tier(upstream=large, prefill=True, price=prices[1]),
    ]
    log = RecordingLog()
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(
            Router(tiers, scorer=scorer or ScriptedScorer(), auto=SHOWS, **(router or {}))
        )
        served = {settings.name: ServedRoute(settings, made)}
        app = create_app(
            served,
            api_key=api_key,
            max_body_bytes=max_body_bytes,
            log=log,
            journal=journal,
            ledger=ledger,
            keep_alive=server.keep_alive,
            limits=server.limits,
            **more,
        )
        url = await stack.enter_async_context(listening(app, server))
        client = AsyncOpenAI(base_url=f"{url}/v1", api_key=api_key or "none", max_retries=0)
        stack.push_async_callback(client.close)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Served(cheap, large, url, app, log, client, http)


def virtually(main: Callable[[], Awaitable[None]]) -> None:
    """Run a test over loopback sockets in virtual time."""

    async def body() -> None:
        await main()

    run_virtual(body, grace=0.001)
