"""Fakes that ship: scripted models and a scripted judge, and an event loop whose clock jumps.

For this project's tests and for its users' own: a route over `ScriptedUpstream`s under `run_virtual` takes no real
time, and every moment in it is exact.
"""

from __future__ import annotations

import asyncio
import enum
import selectors
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio

from streamroute.core.types import Confidence, Delta, Evidence, Sample, Usage
from streamroute.errors import UpstreamError
from streamroute.upstreams.base import ChatRequest

__all__ = (
    "AutojumpEventLoop",
    "Call",
    "CallState",
    "Script",
    "ScriptedScorer",
    "ScriptedUpstream",
    "run_virtual",
)


T = TypeVar("T")

# -- virtual time -----------------------------------------------------------------------------------------------------


class AutojumpEventLoop(asyncio.SelectorEventLoop):
    """An asyncio loop with a virtual clock that jumps to the next timer whenever every task waits.

    `grace` is how long, in real seconds, it listens for sockets before it jumps: 0 for tests without sockets, 0.001 for
    loopback connections. It cannot see worker threads. A wait that nothing can end raises `RuntimeError` instead of
    hanging.
    """

    def __init__(self, *, grace: float = 0.0) -> None:
        self._virtual_now = 0.0
        self._has_sockets = grace > 0
        super().__init__(_AutojumpSelector(self, grace))
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._virtual_now

    def _jump(self, timeout: float | None) -> None:
        if timeout is None and not self._has_sockets:
            raise RuntimeError("deadlock: every task waits, and no timer is set")
        if timeout is not None and timeout > 0:
            self._virtual_now += timeout


class _AutojumpSelector(selectors.DefaultSelector):
    def __init__(self, loop: AutojumpEventLoop, grace: float) -> None:
        super().__init__()
        self._loop = loop
        self._grace = grace

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self._grace:
            ready = super().select(self._grace if timeout is not None else 1.0)
            if ready:
                return ready
        self._loop._jump(timeout)
        return []


def run_virtual(main: Callable[[], Coroutine[Any, Any, T]], *, grace: float = 0.0) -> T:
    """Run `main()` to its end in virtual time."""
    with asyncio.Runner(loop_factory=lambda: AutojumpEventLoop(grace=grace)) as runner:
        return runner.run(main())


# -- a scripted model -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Script:
    """One answer as it will be streamed: (seconds to wait, text) for each delta, then its end.

    `error` is raised after the last delta instead of a normal end. `usage` comes with the last delta, None means that
    the model does not say.
    """

    steps: Sequence[tuple[float, str]]
    finish_reason: str = "stop"
    error: Exception | None = None
    usage: Usage | None = None

    @classmethod
    def of(cls, text: str, *, first: float = 0.1, gap: float = 0.02) -> Script:
        """`text` word by word: the first after `first` seconds, the others `gap` seconds apart."""
        words = text.split(" ")
        steps = [(gap if i else first, f" {word}" if i else word) for i, word in enumerate(words)]
        return cls(steps, usage=Usage(prompt_tokens=10, completion_tokens=len(words)))

    @classmethod
    def failing(cls, *, after: float = 0.1, text: str = "", name: str = "scripted") -> Script:
        """Fails after `after` seconds, having said `text`."""
        error = UpstreamError("scripted failure", upstream=name)
        return cls([(after, text)], error=error)


class CallState(enum.StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(slots=True)
class Call:
    """One request that a scripted model got. Times are the loop's."""

    request: ChatRequest
    started: float
    state: CallState = CallState.RUNNING
    ended: float | None = None


@dataclass
class ScriptedUpstream:
    """A model that says what its script says. `answer` is for answers, `probes` are for probe samples, in turn.

    Plain strings become `Script.of(text)`. `calls` records every request and how it ended.
    """

    answer: Script | str = "yes."
    probes: Sequence[Script | str] = ()
    name: str = "scripted"
    model: str = "scripted-model"
    supports_n: bool = False
    calls: list[Call] = field(default_factory=list)
    closed: bool = False
    _probe: int = 0

    @property
    def running(self) -> int:
        """Requests that are under way."""
        return sum(call.state is CallState.RUNNING for call in self.calls)

    async def aclose(self) -> None:
        self.closed = True

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncGenerator[AsyncIterator[Delta]]:
        call = Call(request, anyio.current_time())
        self.calls.append(call)
        deltas = self._play(call, [self._script(request) for _ in range(request.n)])
        try:
            yield deltas
        finally:
            await deltas.aclose()
            if call.state is CallState.RUNNING:
                call.state = CallState.CLOSED
            call.ended = anyio.current_time()

    def _script(self, request: ChatRequest) -> Script:
        script: Script | str = self.answer
        if request.probe:
            script = self.probes[self._probe % len(self.probes)] if self.probes else self.answer
            self._probe += 1
        return Script.of(script) if isinstance(script, str) else script

    async def _play(self, call: Call, scripts: Sequence[Script]) -> AsyncGenerator[Delta]:
        began = anyio.current_time()
        for due, step in _timeline(scripts):
            await anyio.sleep_until(began + due)
            if isinstance(step, Exception):
                call.state = CallState.FAILED
                raise step
            yield step
        call.state = CallState.FINISHED


def _timeline(scripts: Sequence[Script]) -> list[tuple[float, Delta | Exception]]:
    """All choices of one request, merged by time."""
    merged: list[tuple[float, Delta | Exception]] = []
    for index, script in enumerate(scripts):
        due = 0.0
        for wait, text in script.steps:
            due += wait
            merged.append((due, Delta(text, index=index)))
        end = Delta(index=index, finish_reason=script.finish_reason, usage=script.usage)
        merged.append((due, end if script.error is None else script.error))
    return sorted(merged, key=lambda item: item[0])


# -- a scripted judge -------------------------------------------------------------------------------------------------


def _same_text(a: str, b: str) -> bool:
    return a.strip().casefold() == b.strip().casefold()


@dataclass
class ScriptedScorer:
    """A judge that takes `delay` seconds and compares texts with `same` (equality up to case and outer space).

    Its score is the share of the probes that are not the `same` as the answer up to its last full stop, certified by
    what the missing probes can still change. `error` is raised instead, when set. `calls` counts evaluations.
    """

    delay: float = 0.01
    same: Callable[[str, str], bool] = _same_text
    error: Exception | None = None
    calls: int = 0

    def session(self, question: str, *, deadline: float | None = None) -> ScriptedScorer:
        return self

    async def evaluate(
        self,
        *,
        answer: str,
        answer_finished: bool,
        samples: Sequence[Sample],
        expected: int,
        confidence: Confidence | None = None,
    ) -> Evidence:
        self.calls += 1
        await anyio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        texts = [sample.text for sample in samples]
        clusters: list[str] = []
        assignment = [self._cluster(text, clusters) for text in texts]
        spoken = answer if answer_finished else answer[: answer.rfind(".") + 1]
        own = self._cluster(spoken, clusters) if spoken else None
        different = sum(cluster != own for cluster in assignment)
        total = max(expected, 1)
        sizes = [assignment.count(c) + (c == own) for c in range(len(clusters))]
        return Evidence(
            samples=len(texts),
            expected=expected,
            score=different / max(len(texts), 1),
            low=different / total if spoken else 0.0,
            high=(different + expected - len(texts)) / total if spoken else 1.0,
            sizes=tuple(sizes),
            assignment=tuple(assignment),
            answer_cluster=own,
            agreement=None if own is None or not texts else assignment.count(own) / len(texts),
        )

    def _cluster(self, text: str, clusters: list[str]) -> int:
        for i, representative in enumerate(clusters):
            if self.same(representative, text):
                return i
        clusters.append(text)
        return len(clusters) - 1
