"""Requests as a ledger is told of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from streamroute.core.types import Decision, Evidence, Features, Leg, Verdict
from streamroute.gateway.ledger.entries import Opened, Outcome
from streamroute.routing.stream import LegRecord, LegState, Route, Timings

NOON = 1_795_521_600.0
"""2026-11-24 12:00:00 UTC."""

_numbers = itertools.count(1)


def opened(**fields: Any) -> Opened:
    number = next(_numbers)
    return Opened(
        **{
            "id": f"req_{number}",
            "reply_id": f"chatcmpl-{number}",
            "path": "/v1/chat/completions",
            "key": None,
            "route": "auto",
            "asked": "auto",
            "stream": True,
            "started": NOON,
            **fields,
        }
    )


def leg(tier: int = 0, probe: int | None = None, **fields: Any) -> LegRecord:
    name = ("cheap", "large")[tier]
    return LegRecord(
        leg=Leg(tier, probe),
        **{
            "tier_name": name,
            "model": f"{name}-1",
            "started": 0.0,
            "first_token": 0.1,
            "ended": 0.5,
            "state": LegState.FINISHED,
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "counted": True,
            "cost": 0.25,
            **fields,
        },
    )


def routed(*legs: LegRecord, tier: int | None = 0, **fields: Any) -> Route:
    return Route(
        legs=legs or (leg(tier or 0),),
        tier=tier,
        tier_name=None if tier is None else ("cheap", "large")[tier],
        **fields,
    )


def escalated() -> Route:
    """A secret text in all places where a route has any: none of them may be kept."""
    features = Features(disagreement=0.5, contradiction=0.25, entropy=0.5, snne=0.5)
    return routed(
        leg(state=LegState.CANCELLED, counted=False, reason="escalated", billing="unknown", cost=0.125, text="secret"),
        leg(probe=0, cost=0.0625, text="secret"),
        leg(probe=1, state=LegState.FAILED, error="HTTP 500: secret", failure="UpstreamStatusError 500", cost=0.0),
        leg(1, cost=1.0, text="secret"),
        tier=1,
        answer="secret",
        verdict=Verdict(Decision.ESCALATE, "score above threshold"),
        evidence=Evidence(
            samples=2,
            expected=3,
            score=0.75,
            entropy=0.5,
            sizes=(1, 2),
            assignment=(0, 1),
            features=features,
        ),
        timings=Timings(first_shown=0.5, first_kept=0.75, decided=0.25, finished=1.0),
        retracted=True,
        nli_pairs=7,
        nli_seconds=0.25,
    )


def outcome(route: Route | None = None, **fields: Any) -> Outcome:
    return Outcome(**{"status": 200, "seconds": 1.0, "route": route or routed(), **fields})


def spending(cost: float, calls: int = 0, extra: float = 0.0) -> Outcome:
    """Settled with that `cost` in all, `extra` of it for `calls` probes."""
    probes = [leg(probe=number, cost=extra / calls) for number in range(calls)]
    return outcome(routed(leg(cost=cost - extra), *probes))


def names(rows: Sequence[Any]) -> list[str]:
    return [row["id"] for row in rows]
