"""What upstreams are told of the request that they serve, and what the record says of its moments and failures."""

from __future__ import annotations

from typing import Any

import pytest

from streamroute.core.types import Leg
from streamroute.errors import UpstreamConnectError, UpstreamStatusError
from streamroute.routing.router import Router
from streamroute.routing.stream import Route
from streamroute.testing import Script, run_virtual
from tests.routing.support import ASK, cheap, large, router


def play(made: Router, **request: Any) -> Route:
    async def main() -> Route:
        async with made, made.stream(ASK, **request) as stream:
            async for _ in stream:
                pass
            return stream.route

    return run_virtual(main)


def test_each_upstream_request_bears_the_headers_of_its_leg() -> None:
    small, big = cheap(probes=["It is Oslo."], supports_n=True), large()
    play(router(small, big), headers=lambda leg: {"x-leg": str(leg)})
    found = [dict(call.request.headers) for call in small.calls + big.calls]
    assert found == [{"x-leg": "tier 0"}, {"x-leg": "tier 0 probe 0"}, {"x-leg": "tier 1"}]


def test_without_headers_none_are_told() -> None:
    small = cheap(probes=["It is Rome."])
    play(router(small, large()))
    assert all(not call.request.headers for call in small.calls)


def test_the_moments_of_a_retraction_and_of_the_commit_are_known() -> None:
    small = cheap(Script([(0.1, "It is Rome."), (5.0, " Yes.")]), ["It is Oslo."])
    timings = play(router(small, large(Script([(0.5, "It is Canberra.")])))).timings
    assert timings.retracted == timings.decided == pytest.approx(0.16)
    assert timings.committed == pytest.approx(0.66)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UpstreamStatusError("HTTP 429: slower", upstream="cheap", status=429), "UpstreamStatusError 429"),
        (UpstreamConnectError("nobody there", upstream="cheap"), "UpstreamConnectError"),
    ],
)
def test_a_leg_that_failed_says_how_without_the_upstreams_words(error: Exception, kind: str) -> None:
    route = play(router(cheap(Script([], error=error), ["x"]), large()))
    failed, kept = route.leg(Leg(0)), route.leg(Leg(1))
    assert failed is not None
    assert kept is not None
    assert (failed.error, failed.failure) == (str(error), kind)
    assert kept.failure is None
