"""Six ways to answer one question, each asked and timed by itself."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import anyio
import msgspec

from streamroute.cli import demo
from streamroute.cli.questions import Question
from streamroute.core.types import Decision, Delta, Release
from streamroute.errors import RouteError
from streamroute.evaluation.recording import ask
from streamroute.routing.router import RoutedStream, Router
from streamroute.routing.stream import Route
from streamroute.uncertainty.base import Scorer
from streamroute.upstreams.base import ChatRequest, Message, Upstream

__all__ = ("ALONE", "PARAMS", "SYSTEMS", "DraftFirst", "Measured", "Row", "forget", "measure", "order_of", "row_of")

ALONE = ("always-cheap", "always-large")
SYSTEMS = (*ALONE, "sequential", "hold", "retract", "auto")

PARAMS = {**demo.PARAMS, "id_slot": 0}
"""The demo's. With a slot of its own a request finds what that slot held last, and llama.cpp does not look for its
prompt among all that it was ever asked."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of one system. Times are seconds since it was asked.

    `first_shown`, `first_kept`: the first content that a reader sees at all, and of the answer that stands; None where
    there is none, and of a failed route. `decided`: the verdict. It and `escalated` are None where nothing is judged.
    `reason` is the verdict's, or says why the route failed. `legs`: the tokens of each, probes and cancelled ones
    (estimates) included.
    """

    first_shown: float | None
    first_kept: float | None
    decided: float | None
    end: float
    escalated: bool | None
    retracted: bool
    right: bool
    failed: bool
    reason: str
    text: str
    legs: dict[str, int]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One question, answered by each system, in the order in which they stand. `load` is the machine's load average of
    the last minute before. Rows compare only where `setup`, all that the systems were made of, is the same."""

    id: str
    setup: str
    load: float
    systems: dict[str, Measured]


class DraftFirst:
    """A model whose probes are asked when its answer has ended. For one route: `Router` asks for both at once."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._ended = anyio.Event()

    @property
    def name(self) -> str:
        return self._upstream.name

    @property
    def model(self) -> str:
        return self._upstream.model

    @property
    def supports_n(self) -> bool:
        return self._upstream.supports_n

    async def aclose(self) -> None:
        await self._upstream.aclose()

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncGenerator[AsyncIterator[Delta]]:
        if request.probe:
            await self._ended.wait()
        async with self._upstream.stream(request) as deltas:
            yield deltas
        if not request.probe:
            self._ended.set()


def order_of(number: int) -> tuple[str, ...]:
    """In which order the systems answer the question of that number."""
    first = number % len(SYSTEMS)
    return SYSTEMS[first:] + SYSTEMS[:first]


async def row_of(router: Router, scorer: Scorer, question: Question, *, number: int, setup: str) -> Row:
    """The question of that number, answered by each system. Raises `UpstreamError` where a model cannot be asked."""
    load = round(os.getloadavg()[0], 2)
    found = {}
    for system in order_of(number):
        await forget(router)
        found[system] = await measure(system, router, scorer, question)
    return Row(id=question.id, setup=setup, load=load, systems=found)


async def forget(router: Router) -> None:
    """Leave the models as another question would: of the next they know the system prompt, and no more."""
    other, short = [{"role": "user", "content": "Hello!"}], {**PARAMS, "max_tokens": 1}
    for tier in router.tiers:
        await ask(tier.upstream, tier.answer_request(other, short))
        if tier.probes is not None:
            await ask(tier.upstream, tier.probe_request(other, short, [0]))


async def measure(system: str, router: Router, scorer: Scorer, question: Question) -> Measured:
    """One answer. `scorer` is the router's. A route that fails is measured too."""
    failure = ""
    async with _asked(system, router, scorer, [{"role": "user", "content": question.question}]) as stream:
        try:
            async for _ in stream:
                pass
        except RouteError as error:
            failure = str(error)
    return _measured(stream.route, question, failure)


def _asked(
    system: str, router: Router, scorer: Scorer, messages: list[Message]
) -> AbstractAsyncContextManager[RoutedStream]:
    match system:
        case "always-cheap" | "always-large":
            tier = 0 if system == "always-cheap" else len(router.tiers) - 1
            return router.stream(messages, params=PARAMS, start_tier=tier, judge=False)
        case "sequential":
            return _sequential(router, scorer).stream(messages, params=PARAMS)
        case _:
            return router.stream(messages, params=PARAMS, release=Release(system))


def _sequential(router: Router, scorer: Scorer) -> Router:
    """The same router but that nothing overlaps the draft and nothing is shown before the verdict. It is as quick as
    such a cascade can be: probes run side by side, each is judged as it comes, and the verdict falls once it is
    certain. It has no deadline, which its draft would use up."""
    *judged, last = router.tiers
    return Router(
        [*(replace(tier, name=tier.label, upstream=DraftFirst(tier.upstream)) for tier in judged), last],
        scorer=scorer,
        policy=router.plan.policy,
        release=Release.HOLD,
        decision_deadline=None,
        on_uncertain=router.plan.on_uncertain,
        closes_upstreams=False,
    )


def _measured(route: Route, question: Question, failure: str) -> Measured:
    times, verdict = route.timings, route.verdict
    assert times.finished is not None
    return Measured(
        first_shown=_seconds(times.first_shown),
        first_kept=None if failure else _seconds(times.first_kept),
        decided=_seconds(times.decided),
        end=round(times.finished, 6),
        escalated=None if verdict is None or times.decided is None else verdict.decision is Decision.ESCALATE,
        retracted=route.retracted,
        right=not failure and question.is_answered_by(route.answer.strip()),
        failed=bool(failure),
        reason=failure or ("" if verdict is None else verdict.reason),
        text=route.answer,
        legs={str(record.leg): record.completion_tokens for record in route.legs},
    )


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
