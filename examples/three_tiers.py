"""Three tiers with cascade routing: each verdict goes to the tier that is worth its price, past those that are not.

    python examples/three_tiers.py

The models are scripted, so that it runs anywhere: replace them with `OpenAIUpstream` or `LocalUpstream`, and the values
with what `streamroute calibrate` and your price lists say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import streamroute as sr
from streamroute.testing import ScriptedUpstream

QUESTION = "What is the capital of Australia?"

VALUES = (
    sr.TierValue(),  # the first tier is paid already
    sr.TierValue(keeps=0.94, mends=0.55, cost=0.4, delay=0.5),  # right where the small one is right, and where wrong
    sr.TierValue(keeps=0.98, mends=0.85, cost=2.0, delay=0.9),
)


async def answer(probes: Sequence[str], *, price: float) -> sr.Route:
    """Route the question to models whose smallest says `probes` when it is sampled."""
    sampled = sr.ProbePlan(count=3)
    tiers = [
        sr.Tier(upstream=ScriptedUpstream("Sydney.", probes, name="small"), probes=sampled),
        sr.Tier(upstream=ScriptedUpstream("Canberra.", ["Canberra."], name="middle"), probes=sampled),
        sr.Tier(upstream=ScriptedUpstream("It is Canberra.", name="large")),
    ]
    policy = sr.CascadeRouting(tiers=VALUES, price=price)
    async with sr.bundled_judge() as judge, sr.Router(tiers, scorer=judge, policy=policy) as router:
        return (await router.complete([{"role": "user", "content": QUESTION}])).route


async def main() -> None:
    for label, probes, price in (
        ("the samples agree", ["Sydney.", "It's Sydney."], 0.1),
        ("they differ, money is dear", ["Perth.", "Hobart.", "Darwin."], 0.3),
        ("they differ, money is cheap", ["Perth.", "Hobart.", "Darwin."], 0.05),
    ):
        route = await answer(probes, price=price)
        reason = route.verdict.reason if route.verdict else "no verdict"
        print(f"{label}: {route.tier_name} says {route.answer!r} ({reason})")


if __name__ == "__main__":
    asyncio.run(main())
