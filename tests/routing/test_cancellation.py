"""The cancellation sweep: a route cut at every 10 ms of its life leaves no request running, in every release mode."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import anyio
import pytest

from streamroute.core.hedge import HedgeRule
from streamroute.core.types import Release
from streamroute.routing.router import ProbePlan
from streamroute.routing.stream import LegState, Route
from streamroute.testing import CallState, Script, ScriptedScorer, ScriptedUpstream, run_virtual
from tests.routing.support import ASK, cheap, large, router

LIFE = 1.0  # seconds; every scenario below is over by then
DIFFER = [Script.of(text, first=0.15) for text in ("It is Oslo.", "It is Bern.", "It is Riga.")]
AGREE = [Script.of("It is Rome.", first=0.2)] * 3
SCENARIOS: dict[str, dict[str, Any]] = {
    "kept": {"probes": AGREE},
    "escalated": {"probes": DIFFER},
    "escalated from one request for all probes": {"probes": DIFFER, "supports_n": True},
    "cheap leg fails": {"answer": Script.failing(after=0.12, text="It"), "probes": AGREE},
}


RULE = HedgeRule(waste=1.0, second=10.0, large_first=0.5, decision=1.0, prior=0.5)
STARTS: dict[str, dict[str, Any]] = {
    "unhedged": {},
    "hedged by a timer": {"hedge_after": 0.05},
    "hedged by a rule": {"hedge": RULE},
    "insured": {"insurance": True},
}


async def cut(moment: float, *, release: Release, start: str, scenario: str) -> list[ScriptedUpstream]:
    """Run a route and take its reader away at `moment`."""
    small = cheap(**SCENARIOS[scenario])
    models = [small, large("It is Canberra. And more of it.")]
    made = router(*models, release=release, scorer=ScriptedScorer(delay=0.03), **STARTS[start])
    route: Route | None = None

    async def read() -> None:
        nonlocal route
        async with made.stream(ASK) as stream:
            route = stream.route
            async for _ in stream:
                pass

    async with made:
        reader = asyncio.create_task(read())
        await anyio.sleep(moment)
        reader.cancel()
        left = anyio.current_time()
        await asyncio.wait([reader])
        assert anyio.current_time() == left, "leaving takes no time"
        assert len(asyncio.all_tasks()) == 1, "a task outlives its route"
    for model in models:
        assert model.running == 0
        assert all(call.ended is not None and call.ended <= left for call in model.calls)
    if route is not None:
        assert all(record.state is not LegState.RUNNING and record.ended is not None for record in route.legs)
        assert len(route.legs) == sum(call.request.n for model in models for call in model.calls)
    return models


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("release", list(Release))
def test_a_cut_at_any_moment_leaves_nothing_running(release: Release, start: str, scenario: str) -> None:
    seen: set[CallState] = set()
    for step in range(int(LIFE * 100)):
        models = run_virtual(partial(cut, step / 100 + 0.001, release=release, start=start, scenario=scenario))
        seen |= {call.state for model in models for call in model.calls}
    assert {CallState.CLOSED, CallState.FINISHED} <= seen, "the sweep met no request under way, or none that ended"


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("release", list(Release))
def test_a_reader_that_leaves_in_the_very_moment_that_something_happens_hears_of_no_error(
    release: Release, scenario: str
) -> None:
    async def taken_at(moment: float, *, turns: int) -> list[ScriptedUpstream]:
        models = [cheap(**SCENARIOS[scenario]), large("It is Canberra. And more of it.")]
        made = router(*models, release=release, scorer=ScriptedScorer(delay=0.03))

        async def read() -> None:
            async with made.stream(ASK) as stream:
                async for _ in stream:
                    pass

        async with made:
            reader = asyncio.create_task(read())
            for _ in range(turns):
                await asyncio.sleep(0)
            await anyio.sleep(moment)
            reader.cancel()
            await asyncio.wait([reader])
            assert reader.cancelled() or reader.exception() is None
        return models

    for step in range(int(LIFE * 100)):
        for moment in (step / 100, step / 100 + 1e-10):  # the loop takes both for the same
            for turns in (0, 1):
                models = run_virtual(partial(taken_at, moment, turns=turns))
                assert sum(model.running for model in models) == 0


def test_a_verdict_closes_the_losers_at_the_same_moment() -> None:
    small = cheap(Script.of("It is Rome. " * 50), ["A.", "B.", "C."])
    made = router(small, large(), probes=ProbePlan(count=3))

    async def main() -> Route:
        async with made, made.stream(ASK) as stream:
            async for _ in stream:
                pass
            return stream.route

    route = run_virtual(main)
    assert small.calls[0].state is CallState.CLOSED
    assert small.calls[0].ended == route.timings.decided
