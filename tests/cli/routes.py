"""Scripted routes for the command line's tests: real router, real core, virtual time."""

from __future__ import annotations

from streamroute.cli.session import Display, Silent, Watched, watch
from streamroute.cli.view import RouteView
from streamroute.core.policy import Threshold
from streamroute.core.types import Release
from streamroute.routing.router import ProbePlan, Router, Tier
from streamroute.testing import Script, ScriptedScorer, ScriptedUpstream, run_virtual

QUESTION = "What is the capital of Australia?"


def small(*, answer: Script | str = "Sydney.", probes: list[Script | str] | None = None) -> ScriptedUpstream:
    return ScriptedUpstream(answer=answer, probes=probes or ["Canberra.", "Perth.", "Sydney."], name="small")


def large(answer: Script | str = "Canberra.") -> ScriptedUpstream:
    return ScriptedUpstream(answer=answer, name="large")


def router_of(
    cheap: ScriptedUpstream, dear: ScriptedUpstream, *, release: Release = Release.HOLD, limit: float = 0.5
) -> Router:
    tiers = [Tier(upstream=cheap, probes=ProbePlan(count=3)), Tier(upstream=dear)]
    return Router(tiers, scorer=ScriptedScorer(), policy=Threshold(limit), release=release)


class Frames(Silent):
    """Remembers every view."""

    def __init__(self) -> None:
        self.views: list[RouteView] = []

    def update(self, before: RouteView, after: RouteView) -> None:
        self.views.append(after)


def asked(
    cheap: ScriptedUpstream | None = None,
    dear: ScriptedUpstream | None = None,
    *,
    release: Release = Release.HOLD,
    display: Display | None = None,
) -> Watched:
    """One route to its end."""

    async def main() -> Watched:
        async with router_of(cheap or small(), dear or large(), release=release) as router:
            return await watch(router, [{"role": "user", "content": QUESTION}], display=display or Silent())

    return run_virtual(main)
