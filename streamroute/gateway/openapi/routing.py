"""What the gateway asks and says in the private field `streamroute`, and in its own headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streamroute.core.types import Release
from streamroute.gateway.openapi.parts import (
    BOOLEAN,
    COUNT,
    INTEGER,
    NUMBER,
    STRING,
    Schema,
    array,
    enum,
    nullable,
    of,
    record,
    ref,
)
from streamroute.wire.openai import RouteOptions
from streamroute.wire.request import MOST_NAME

__all__ = ("HEADERS", "PARAMETERS", "SCHEMAS")

_SECONDS: Final = nullable(of(NUMBER, "Seconds since the route started."))
_RELEASE: Final = of(enum(*Release), "What is seen of an answer before the verdict on it.")
_ON_ESCALATION: Final = of(
    enum("retract", "append", "continue"), "What `auto` may do to a shown answer. Only with the release mode auto."
)
_DECISION: Final = nullable(of(STRING, "accept or escalate; null where nothing was decided."))
_UNJUDGED: Final = nullable(of(STRING, "Why the answer was not judged: tools, n, media, response_format, asked ..."))

_OPTIONS: Final[Schema] = {
    "type": "object",
    "description": "What a client may ask of the router. Each may also be sent as the header x-streamroute-*.",
    "properties": {
        "release": nullable(_RELEASE),
        "on_escalation": nullable(_ON_ESCALATION),
        "judge": nullable(of(BOOLEAN, "false: take the answer of the first tier as it is.", default=True)),
        "tier": nullable(of(STRING, "The name of the tier to start with.", maxLength=MOST_NAME)),
        "trace": of(BOOLEAN, "true: tell every step of the route on the stream.", default=False),
    },
    "additionalProperties": False,
}
_OPTIONS["properties"] = {name: _OPTIONS["properties"][name] for name in RouteOptions.__struct_fields__}

_LEG: Final = record(
    {
        "leg": enum("answer", "probe"),
        "tier": COUNT,
        "probe": nullable(COUNT),
        "tier_name": STRING,
        "model": STRING,
        "state": enum("running", "finished", "cancelled", "failed"),
        "reason": nullable(of(STRING, "Why it was cancelled.")),
        "prompt_tokens": COUNT,
        "completion_tokens": COUNT,
        "counted": of(BOOLEAN, "false: the tokens are an estimate, because the model did not say."),
        "started": NUMBER,
        "first_token": _SECONDS,
        "ended": _SECONDS,
        "cost": NUMBER,
        "billing": nullable(of(STRING, "How a leg that was cut off is charged for.")),
        "attempts": of(COUNT, "How often its model was asked: again where it failed before its first content."),
        "error": nullable(STRING),
    },
    optional=["billing", "attempts"],
    text="One call of a model: the answer of a tier, or a sample of it that it was judged by.",
)

_EVIDENCE: Final = record(
    {
        "samples": COUNT,
        "expected": COUNT,
        "score": of(NUMBER, "Uncertainty, 0 to 1."),
        "features": nullable({"type": "object"}),
        "entropy": NUMBER,
        "clusters": array(COUNT, description="How many texts share each meaning."),
        "agreement": nullable(NUMBER),
    },
    text="What the verdict is based on.",
)

_ROUTE: Final = record(
    {
        "route": STRING,
        "tier": nullable(of(STRING, "Whose answer it is.")),
        "decision": _DECISION,
        "reason": STRING,
        "unjudged": _UNJUDGED,
        "shed": array(
            enum("shadow", "probes", "hedge", "judging"),
            description="What was left out because the amplification budget is spent.",
        ),
        "prerouter": of(STRING, "What the prompt alone decided."),
        "retracted": BOOLEAN,
        "evidence": nullable(ref("Evidence")),
        "timings": record(dict.fromkeys(("first_shown", "first_kept", "decided", "finished"), _SECONDS)),
        "cost": of(NUMBER, "Of all legs, in the currency of the configured prices."),
        "nli": record({"pairs": COUNT, "seconds": NUMBER}, text="The work of the judge."),
        "legs": array(ref("Leg")),
    },
    optional=["prerouter", "shed", "nli"],
    text="The whole route of a request.",
)


def _event(name: str, properties: dict[str, Schema], text: str, optional: Sequence[str] = ()) -> Schema:
    return record({"event": {"const": name}, **properties}, optional=optional, text=text)


_NOTE: Final[Schema] = {
    "description": "What became of the answer that is shown; on a chunk with an empty delta.",
    "oneOf": [
        _event(
            "committed",
            {"tier": STRING, "decision": STRING, "reason": STRING, "evidence": nullable(ref("Evidence"))},
            "Nothing but the end can happen to the answer any more.",
        ),
        _event("retracted", {"tier": STRING, "reason": STRING}, "All that was shown is withdrawn."),
        _event(
            "appended",
            {"tier": STRING, "to": STRING, "reason": STRING, "marker": STRING},
            "What was shown is superseded by what follows. Its end is `marker`, which belongs to neither.",
        ),
        _event(
            "continued",
            {"tier": STRING, "to": STRING, "at": INTEGER, "reason": STRING},
            "What was shown stays; from the `at`-th character on it is another tier's.",
        ),
        _event(
            "started",
            {
                "at": NUMBER,
                "tier": STRING,
                "tiers": array(STRING),
                "release": STRING,
                "probes": COUNT,
                "threshold": nullable(NUMBER),
            },
            "With `trace`: the judging of a tier begins.",
        ),
        _event(
            "probe",
            {
                "at": NUMBER,
                "state": enum("finished", "failed"),
                "number": COUNT,
                "text": STRING,
                "error": STRING,
                "done": COUNT,
                "expected": COUNT,
            },
            "With `trace`: a probe has ended.",
            optional=["number", "text", "error"],
        ),
        _event(
            "evidence",
            {
                "at": NUMBER,
                **_EVIDENCE["properties"],
                "low": NUMBER,
                "high": NUMBER,
                "assignment": array(COUNT),
                "answer_cluster": nullable(COUNT),
            },
            "With `trace`: what the judge makes of the probes so far.",
        ),
        _event(
            "verdict",
            {"at": NUMBER, "tier": STRING, "decision": STRING, "reason": STRING, "to": nullable(STRING)},
            "With `trace`: what was decided, and the tier that this one is left for.",
        ),
    ],
}

SCHEMAS: Final[dict[str, Schema]] = {
    "RouteOptions": _OPTIONS,
    "Leg": _LEG,
    "Evidence": _EVIDENCE,
    "Route": _ROUTE,
    "Note": _NOTE,
}


def _told(text: str) -> Schema:
    return {"schema": STRING, "description": text}


HEADERS: Final[Schema] = {
    "x-request-id": _told("The request's own id where it brought one, else a new one."),
    "x-streamroute-route": _told("The route that answered."),
    "x-streamroute-tier": _told("The tier whose answer it is, as far as that is known at the first byte."),
    "x-streamroute-decision": _told("accept or escalate, where that is known."),
    "x-streamroute-reason": _told("Why; `undecided` where an answer is shown before the verdict."),
    "x-streamroute-unjudged": _told("Why the answer is not judged."),
    "x-streamroute-shed": _told("What was left out because the amplification budget is spent."),
    "x-streamroute-prerouter": _told("What the prompt alone decided."),
}


def _header(name: str, schema: Schema, text: str) -> Schema:
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": text}


_NAME: Final[Schema] = {"type": "string", "pattern": r"\S"}
_BY_HEADER: Final[dict[str, Schema]] = {"release": _RELEASE, "on_escalation": _ON_ESCALATION, "tier": _NAME}
PARAMETERS: Final = [
    _header(
        f"x-streamroute-{name.replace('_', '-')}",
        _BY_HEADER.get(name, enum("true", "false")),
        f"As streamroute.{name} in the body, which wins.",
    )
    for name in RouteOptions.__struct_fields__
]
