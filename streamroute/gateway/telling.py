"""A route in the words of the field `streamroute`: for the reply, its headers and the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from streamroute.core.types import Evidence, Leg, Usage
from streamroute.routing.stream import Route

__all__ = ("evidence_fields", "route_fields", "route_headers", "route_notes", "usage_of")


def usage_of(route: Route) -> Usage:
    """The tokens of the answer that stands: where one tier went on from another, the prompt of the first, and what all
    of them said."""
    tiers = [*route.continued, *([] if route.tier is None else [route.tier])]
    records = [record for tier in tiers if (record := route.leg(Leg(tier))) is not None]
    if not records:
        return Usage(0, 0)
    completion = sum(record.completion_tokens for record in records)
    return Usage(records[0].prompt_tokens, completion, all(record.counted for record in records))


def route_fields(route: Route, name: str, unjudged: str | None, shed: Sequence[str] = ()) -> dict[str, Any]:
    """All of a finished route but its texts."""
    return {
        **_outcome(route, name, unjudged),
        "shed": list(shed),
        "retracted": route.retracted,
        "evidence": evidence_fields(route.evidence),
        "timings": route.timings.to_dict(),
        "cost": route.cost,
        "nli": {"pairs": route.nli_pairs, "seconds": round(route.nli_seconds, 6)},
        "legs": [record.to_dict() for record in route.legs],
    }


def route_headers(route: Route, name: str, unjudged: str | None, shed: Sequence[str] = ()) -> dict[str, str]:
    """What is known of a route when its first byte is sent."""
    outcome = _outcome(route, name, unjudged) | {"shed": ", ".join(shed) or None}
    return {f"x-streamroute-{field}": value for field, value in outcome.items() if value is not None}


def route_notes(route: Route, name: str, unjudged: str | None, shed: Sequence[str] = ()) -> dict[str, Any]:
    """For the log: no texts, one number a thing."""
    usage = usage_of(route)
    return {
        **_outcome(route, name, unjudged),
        **({"shed": list(shed)} if shed else {}),
        "finish_reason": route.finish_reason,
        "score": None if route.evidence is None else round(route.evidence.score, 4),
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "legs": len(route.legs),
        "cost": route.cost,
        **route.timings.to_dict(),
    }


def evidence_fields(evidence: Evidence | None) -> dict[str, Any] | None:
    """None where nothing was judged."""
    if evidence is None:
        return None
    return {
        "samples": evidence.samples,
        "expected": evidence.expected,
        "score": evidence.score,
        "features": None if evidence.features is None else asdict(evidence.features),
        "entropy": round(evidence.entropy, 6),
        "clusters": list(evidence.sizes),
        "agreement": evidence.agreement,
    }


def _outcome(route: Route, name: str, unjudged: str | None) -> dict[str, str | None]:
    verdict, prior = route.verdict, route.prior
    told = {} if prior is None or not prior.reason else {"prerouter": f"{prior.decision}: {prior.reason}"}
    return {
        **told,
        "route": name,
        "tier": route.tier_name,
        "decision": None if verdict is None else str(verdict.decision),
        "reason": "undecided" if verdict is None else verdict.reason,
        "unjudged": unjudged,
    }
