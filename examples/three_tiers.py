"""Three scripted tiers under cascade routing: keep, one step up, or straight to the last. Needs no model, no network.

python examples/three_tiers.py
"""

from __future__ import annotations

import asyncio

import streamroute as sr
from streamroute.core.selection import Candidate, CascadeRouting, LinearLink
from streamroute.testing import ScriptedScorer, ScriptedUpstream

# Costs in answers of the large model. `LinearLink(r, w)`: how often a tier is right where the one below is, and is not.
TIERS = (
    Candidate(cost=0.02),
    Candidate(cost=0.2, delay=0.4, link=LinearLink(0.95, 0.5)),
    Candidate(cost=1.0, delay=0.9, link=LinearLink(0.97, 0.75)),
)
SAMPLES = {
    "sure": ["Canberra.", "Canberra.", "Canberra.", "Canberra."],
    "torn": ["Canberra.", "Canberra.", "Sydney.", "Sydney."],
    "lost": ["Sydney.", "Perth.", "Hobart.", "Darwin."],
}


async def answer(samples: list[str], *, trade: float) -> sr.Route:
    """Route one question whose small model answers like this. `trade`: the quality that a large answer must bring."""
    tiers = [
        sr.Tier(upstream=ScriptedUpstream("Canberra.", samples, name="small"), probes=sr.ProbePlan(count=4)),
        sr.Tier(upstream=ScriptedUpstream("Canberra.", SAMPLES["sure"], name="middle"), probes=sr.ProbePlan(count=4)),
        sr.Tier(upstream=ScriptedUpstream("Canberra.", name="large")),
    ]
    policy = CascadeRouting(tiers=TIERS, trade=trade)
    async with sr.Router(tiers, scorer=ScriptedScorer(), policy=policy) as router:
        return (await router.complete([{"role": "user", "content": "Capital of Australia?"}])).route


async def main() -> None:
    for trade in (0.0, 0.25, 5.0):
        for name, samples in SAMPLES.items():
            route = await answer(samples, trade=trade)
            assert route.verdict is not None
            print(f"trade {trade:<5} samples {name}: {route.tier_name:6} ({route.verdict.reason})")


if __name__ == "__main__":
    asyncio.run(main())
