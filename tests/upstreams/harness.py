"""One way to say to each kind of upstream what its model will do, so that one suite can run on all of them."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from openai import AsyncOpenAI

from streamroute.core.types import Delta, Usage
from streamroute.errors import UpstreamInterruptedError
from streamroute.testing import Script, ScriptedUpstream
from streamroute.upstreams.base import ChatRequest, Upstream
from streamroute.upstreams.openai import OpenAIUpstream
from streamroute.upstreams.recorded import RecordedUpstream, Recording, Step
from streamroute.upstreams.resilient import Resilient
from streamroute.upstreams.retry import RetryPolicy
from streamroute.upstreams.sdk import SDKUpstream
from tests.support.upstream_server import HANG, Reply, UpstreamServer

MESSAGES = ({"role": "user", "content": "What is the capital of Australia?"},)
REQUEST = ChatRequest(messages=MESSAGES)


@dataclass(frozen=True)
class Plan:
    """What the model will do: say `texts`, each `gap` seconds after the one before, and then `end`.

    "silent" accepts the request and never says anything; "hang" says its texts and then no more.
    """

    texts: Sequence[str] = ()
    end: Literal["finish", "break", "hang", "silent"] = "finish"
    gap: float = 0.0


class Harness(abc.ABC):
    """One upstream, and what its model sees."""

    upstream: Upstream
    name = "tested"
    model = "tested-model"

    @abc.abstractmethod
    def plan(self, plan: Plan) -> None:
        """From the next request on."""

    @property
    @abc.abstractmethod
    def running(self) -> int:
        """Requests that are under way at the model."""

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns as soon as `condition()` holds, waiting for turns of the loop and not for time. Raises `TimeoutError`
        when it never does."""
        for _ in range(1000):
            if condition():
                return
            await asyncio.sleep(0)
        raise TimeoutError


class ServerHarness(Harness):
    """The model is a server on the loopback."""

    def __init__(self, server: UpstreamServer) -> None:
        self.server = server

    def plan(self, plan: Plan) -> None:
        steps: list[tuple[float, str]] = [(plan.gap, text) for text in plan.texts]
        if plan.end in ("hang", "silent"):
            steps.append((HANG, ""))
        self.server.default = Reply(
            steps,
            before_headers=HANG if plan.end == "silent" else 0.0,
            end="abort" if plan.end == "break" else "done",
            usage=(7, len(plan.texts)),
        )

    @property
    def running(self) -> int:
        return self.server.running

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.server.until(condition)


class OpenAIHarness(ServerHarness):
    def __init__(self, server: UpstreamServer) -> None:
        super().__init__(server)
        self.upstream = OpenAIUpstream(name=self.name, base_url=server.url, model=self.model, supports_n=True)


class ResilientHarness(OpenAIHarness):
    def __init__(self, server: UpstreamServer) -> None:
        super().__init__(server)
        self.upstream = Resilient(self.upstream, retry=RetryPolicy(attempts=1, wait=0.0))


class SDKHarness(ServerHarness):
    def __init__(self, server: UpstreamServer, client: AsyncOpenAI) -> None:
        super().__init__(server)
        self.upstream = SDKUpstream(client, model=self.model, name=self.name, supports_n=True)


class ScriptedHarness(Harness):
    """The fake that ships, which must behave as the real ones do."""

    def __init__(self) -> None:
        self.upstream = self.scripted = ScriptedUpstream(name=self.name, model=self.model, supports_n=True)

    def plan(self, plan: Plan) -> None:
        steps = [(plan.gap, text.replace("{i}", "0")) for text in plan.texts]
        if plan.end in ("hang", "silent"):
            steps.append((1e9, ""))
        error = UpstreamInterruptedError("broke off", upstream=self.name) if plan.end == "break" else None
        self.scripted.answer = Script(steps, error=error, usage=Usage(7, len(plan.texts)))

    @property
    def running(self) -> int:
        return self.scripted.running


class RecordedHarness(Harness):
    """A recording has no model behind it: what runs is counted at its edge."""

    def __init__(self) -> None:
        self._running = 0
        self.plan(Plan(["never planned"]))

    def plan(self, plan: Plan) -> None:
        steps = [Step(at=i * plan.gap, text=text) for i, text in enumerate(plan.texts, 1)]
        end = len(plan.texts) * plan.gap
        if plan.end in ("hang", "silent"):
            end = 1e9
        if plan.end != "break":
            steps.append(Step(at=end, finish_reason="stop", usage=Usage(7, len(plan.texts))))
        error = "broke off" if plan.end == "break" else None
        recording = Recording(messages=MESSAGES, steps=tuple(steps), error=error, ended=end)
        self.upstream = self._Counted(self.name, [recording], model=self.model, harness=self)

    @property
    def running(self) -> int:
        return self._running

    class _Counted(RecordedUpstream):
        def __init__(self, name: str, recordings: Sequence[Recording], *, model: str, harness: RecordedHarness) -> None:
            super().__init__(name, recordings, model=model)
            self._harness = harness

        async def _play(self, recording: Recording) -> AsyncGenerator[Delta]:
            self._harness._running += 1
            try:
                async for delta in super()._play(recording):
                    yield delta
            finally:
                self._harness._running -= 1


@asynccontextmanager
async def harness(kind: str) -> AsyncGenerator[Harness]:
    if kind == "scripted":
        yield ScriptedHarness()
    elif kind == "recorded":
        yield RecordedHarness()
    else:
        async with UpstreamServer() as server:
            if kind in ("openai", "resilient"):
                made: Harness = (OpenAIHarness if kind == "openai" else ResilientHarness)(server)
                yield made
                await made.upstream.aclose()
            else:
                async with AsyncOpenAI(base_url=server.url, api_key="sk-tested", max_retries=0) as client:
                    yield SDKHarness(server, client)


async def collect(upstream: Upstream, request: ChatRequest = REQUEST) -> list[Delta]:
    async with upstream.stream(request) as deltas:
        return [delta async for delta in deltas]
