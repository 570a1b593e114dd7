"""A request and its legs in the words of the GenAI semantic conventions (gen-ai-spans, status Development) and, where
they have none, in our own: `streamroute.*`. Never a prompt, an answer or an upstream's message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from streamroute.core.types import Leg
from streamroute.gateway.ledger.entries import Opened, Outcome
from streamroute.gateway.observe.measures import error_code_of, reason_of
from streamroute.gateway.telling import usage_of
from streamroute.routing.stream import LegRecord

__all__ = ("Place", "address_attributes", "known", "leg_attributes", "operation_of", "request_attributes")

_OPERATIONS: Final = {"/v1/completions": "text_completion", "/v1/embeddings": "embeddings"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is: the flavour of its API, and its address, None for a model in this process."""

    provider: str
    host: str | None = None
    port: int | None = None


def operation_of(entry: Opened) -> str:
    """`gen_ai.operation.name` of a request."""
    return _OPERATIONS.get(entry.path, "chat")


def known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def request_attributes(entry: Opened, outcome: Outcome, operation: str) -> dict[str, Any]:
    route = outcome.route
    usage, verdict, evidence = usage_of(route), route.verdict, route.evidence
    kept = None if route.tier is None else route.leg(Leg(route.tier))
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.request.model": entry.asked,
        "gen_ai.request.stream": entry.stream,
        "gen_ai.response.model": None if kept is None else kept.model,
        "gen_ai.response.id": entry.reply_id,
        "gen_ai.response.finish_reasons": None if route.finish_reason is None else (route.finish_reason,),
        "gen_ai.response.time_to_first_chunk": route.timings.first_shown,
        "gen_ai.usage.input_tokens": None if kept is None else usage.prompt_tokens,
        "gen_ai.usage.output_tokens": None if kept is None else usage.completion_tokens,
        "error.type": error_code_of(outcome) if outcome.status >= 400 else None,
        "http.request.method": "POST",
        "http.response.status_code": outcome.status,
        "url.path": entry.path,
        "streamroute.request_id": entry.id,
        "streamroute.route": entry.route,
        "streamroute.key": entry.key,
        "streamroute.tier": route.tier_name,
        "streamroute.decision": None if verdict is None else str(verdict.decision),
        "streamroute.reason": reason_of(outcome),
        "streamroute.unjudged": outcome.unjudged,
        "streamroute.shed": tuple(outcome.shed) or None,
        "streamroute.retracted": route.retracted,
        "streamroute.score": None if evidence is None else evidence.score,
        "streamroute.entropy": None if evidence is None else evidence.entropy,
        "streamroute.cost": route.cost,
    }


def address_attributes(place: Place) -> dict[str, Any]:
    return {"gen_ai.provider.name": place.provider, "server.address": place.host, "server.port": place.port}


def leg_attributes(record: LegRecord, operation: str) -> dict[str, Any]:
    first = record.first_token
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.request.model": record.model,
        "gen_ai.response.time_to_first_chunk": None if first is None else first - record.started,
        "gen_ai.usage.input_tokens": record.prompt_tokens,
        "gen_ai.usage.output_tokens": record.completion_tokens,
        # The status where there is one, as the conventions have it; else our exception.
        "error.type": None if record.failure is None else record.failure.rpartition(" ")[2],
        "streamroute.upstream": record.tier_name,
        "streamroute.leg": "answer" if record.leg.probe is None else "probe",
        "streamroute.tier_index": record.leg.tier,
        "streamroute.probe": record.leg.probe,
        "streamroute.state": str(record.state),
        "streamroute.state_reason": record.reason,
        "streamroute.tokens_counted": record.counted,
        "streamroute.cost": record.cost,
    }
