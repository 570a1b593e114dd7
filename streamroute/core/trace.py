"""A route as it happened: every event with its time. Traces are kept as JSON and replayed against other plans."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streamroute.core.actions import Action
from streamroute.core.cascade import Cascade
from streamroute.core.events import (
    AnswerFinished,
    DeltaReceived,
    Event,
    EvidenceReceived,
    LegFailed,
    ProbeFinished,
    ReaderLeft,
    RouteStarted,
    ScorerFailed,
    TimerFired,
)
from streamroute.core.plan import Plan
from streamroute.core.types import Delta, Evidence, Features, Leg, Sample, TokenLogprob, Usage
from streamroute.errors import StreamrouteError

_EVENTS: Mapping[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        RouteStarted,
        DeltaReceived,
        AnswerFinished,
        ProbeFinished,
        LegFailed,
        EvidenceReceived,
        ScorerFailed,
        TimerFired,
        ReaderLeft,
    )
}


class RecordedError(StreamrouteError):
    """An error that happened in a recorded route; its first word is the type it had."""


@dataclass(slots=True)
class Trace:
    """Events in order, each with its time in seconds since the route started."""

    events: list[tuple[float, Event]] = field(default_factory=list)

    def dumps(self) -> str:
        """One line of JSON. `loads` gives an equal trace, except that errors come back as `RecordedError`."""
        return json.dumps([[now, type(event).__name__, _plain(event)] for now, event in self.events])

    @classmethod
    def loads(cls, line: str) -> Trace:
        """Raises `StreamrouteError` for a line that is not a trace, naming what is wrong."""
        try:
            return cls([(float(now), _event(name, fields)) for now, name, fields in json.loads(line)])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StreamrouteError(f"not a trace: {type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a plan does with a trace: every action with its time, and the cascade at the end of it."""

    actions: tuple[tuple[float, Action], ...]
    cascade: Cascade


def replay(trace: Trace, plan: Plan) -> Replayed:
    """Run `plan` over the recorded legs of `trace`, in order and with their times.

    The plan's own deadlines fire when they are due. Legs that the plan does not start stay unheard. A leg that the
    recorded route cut short ends here where its record ends: a replay can only be as complete as its trace.
    """
    cascade = Cascade(plan)
    actions: list[tuple[float, Action]] = []

    for now, event in trace.events:
        due = cascade.next_deadline()
        while due is not None and due <= now:
            actions += [(due, action) for action in cascade.receive(TimerFired(), now=due)]
            due = cascade.next_deadline()
        if not isinstance(event, TimerFired):
            for action in cascade.receive(event, now=now):
                actions.append((now, action))
    while (due := cascade.next_deadline()) is not None:
        actions += [(due, action) for action in cascade.receive(TimerFired(), now=due)]
    return Replayed(tuple(actions), cascade)


def _plain(event: Event) -> dict[str, Any]:
    """An event's fields as JSON. Exceptions are turned to text before anything is copied: they need not be copyable."""

    def convert(value: Any) -> Any:
        if isinstance(value, Exception):
            return f"{type(value).__name__}: {value}"
        if isinstance(value, bytes):
            return value.decode()
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: convert(getattr(value, field.name)) for field in dataclasses.fields(value)}
        if isinstance(value, tuple):
            return [convert(item) for item in value]
        return value

    return {field.name: convert(getattr(event, field.name)) for field in dataclasses.fields(event)}


def _event(name: str, fields: dict[str, Any]) -> Event:
    kind = _EVENTS[name]
    built: dict[str, Any] = {}
    for key, value in fields.items():
        match key:
            case "leg":
                built[key] = Leg(**value)
            case "delta":
                built[key] = _delta(value)
            case "sample":
                built[key] = Sample(**value)
            case "evidence":
                sizes, assignment = tuple(value["sizes"]), tuple(value["assignment"])
                features = None if value.get("features") is None else Features(**value["features"])
                built[key] = Evidence(**{**value, "sizes": sizes, "assignment": assignment, "features": features})
            case "error":
                built[key] = RecordedError(value)
            case _:
                built[key] = value
    event: Event = kind(**built)
    return event


def _delta(value: dict[str, Any]) -> Delta:
    logprobs = tuple(
        TokenLogprob(item["token"], item["logprob"], tuple((token, p) for token, p in item["top"]))
        for item in value["logprobs"]
    )
    usage = None if value["usage"] is None else Usage(**value["usage"])
    calls = None if value["tool_calls"] is None else value["tool_calls"].encode()
    return Delta(**{**value, "logprobs": logprobs, "usage": usage, "tool_calls": calls})
