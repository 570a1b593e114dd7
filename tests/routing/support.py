"""Short words for the stories of the routing tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamroute.core.types import Release
from streamroute.routing.router import ProbePlan, Router, Tier
from streamroute.routing.stream import Appended, Committed, Continued, Retracted, Route, StreamEvent, TextDelta
from streamroute.testing import Script, ScriptedScorer, ScriptedUpstream, run_virtual

ASK = [{"role": "user", "content": "What is the capital of Australia?"}]
AGREE = ["It is Rome."] * 3
DIFFER = ["It is Oslo.", "It is Bern.", "It is Riga."]


def cheap(
    answer: Script | str = "It is Rome.", probes: Sequence[Script | str] = (), **settings: Any
) -> ScriptedUpstream:
    return ScriptedUpstream(answer, probes, name="cheap", **settings)


def large(answer: Script | str = "It is Canberra.", **settings: Any) -> ScriptedUpstream:
    return ScriptedUpstream(answer, name="large", **settings)


def router(*upstreams: ScriptedUpstream, probes: ProbePlan | None = None, **settings: Any) -> Router:
    """Every tier but the last is probed, by default with three probes."""
    *judged, last = upstreams
    tiers = [Tier(upstream=upstream, probes=probes or ProbePlan(count=3)) for upstream in judged]
    settings.setdefault("scorer", ScriptedScorer())
    settings.setdefault("release", Release.RETRACT)
    return Router([*tiers, Tier(upstream=last, prefill=True)], **settings)


def told(events: Sequence[StreamEvent]) -> list[str]:
    """What a reader was told, one word for each event: text as it is, other events in brackets."""
    words: list[str] = []
    for event in events:
        match event:
            case TextDelta():
                words.append(event.text)
            case Retracted():
                words.append("[retracted]")
            case Appended():
                words.append("[appended]")
            case Continued():
                words.append(f"[continued at {event.at}]")
            case Committed():
                words.append(f"[{event.name}]")
    return words


def play(made: Router, **request: Any) -> tuple[list[StreamEvent], Route]:
    """One route from its first event to its last, in virtual time."""

    async def main() -> tuple[list[StreamEvent], Route]:
        async with made, made.stream(request.pop("messages", ASK), **request) as stream:
            return [event async for event in stream], stream.route

    return run_virtual(main)
