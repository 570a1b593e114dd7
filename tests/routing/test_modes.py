"""Continue, auto, hedging by rule, insurance and probes only where unsure, with models that run."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from streamroute.core.hedge import HedgeRule
from streamroute.core.plan import AutoRelease
from streamroute.core.types import Delta, Leg, Release, TokenLogprob
from streamroute.routing.router import ProbePlan, Router, Tier
from streamroute.routing.stream import LegState, Route, StreamEvent, TextDelta
from streamroute.testing import Call, Script, ScriptedScorer, ScriptedUpstream, run_virtual
from tests.routing.support import ASK, cheap, large, told

LONG = Script.of("It is Rome. " + "And more of it. " * 50)
DIFFER = [Script.of(text, first=0.15) for text in ("It is Oslo.", "It is Bern.", "It is Riga.")]


def run(
    *upstreams: ScriptedUpstream, probes: ProbePlan | None = None, params: dict[str, Any] | None = None, **settings: Any
) -> tuple[list[StreamEvent], Route]:
    small, big = upstreams
    tiers = [Tier(upstream=small, probes=probes or ProbePlan(count=3)), Tier(upstream=big, prefill=True)]

    async def main() -> tuple[list[StreamEvent], Route]:
        router = Router(tiers, scorer=ScriptedScorer(), **settings)
        async with router, router.stream(ASK, params=params) as stream:
            return [event async for event in stream], stream.route

    return run_virtual(main)


def test_the_larger_model_is_asked_to_go_on_from_the_shown_text() -> None:
    big = large(Script([(0.1, " No:"), (0.02, " Canberra.")]))
    events, route = run(cheap(LONG, DIFFER), big, release=Release.CONTINUE)
    words = told(events)
    seam = next(i for i, word in enumerate(words) if word.startswith("[continued"))
    shown = "".join(words[:seam])
    assert words[seam:] == [f"[continued at {len(shown)}]", "[large]", " No:", " Canberra."]
    assert big.calls[0].request.messages[-1] == {"role": "assistant", "content": shown}
    assert route.answer == f"{shown} No: Canberra."
    assert not route.retracted
    assert route.timings.first_kept == route.timings.first_shown == 0.1


@pytest.mark.parametrize(("prior", "first"), [(0.1, 0.1), (0.9, 0.18)])
def test_auto_shows_or_holds_by_what_it_expects(prior: float, first: float) -> None:
    agree = [Script.of("It is Rome.", first=0.13)] * 3
    auto = AutoRelease(prior=prior, decision_gap=1.0)
    _, route = run(cheap("It is Rome.", agree), large(), release=Release.AUTO, auto=auto)
    assert route.timings.first_shown == pytest.approx(first)


def test_a_hedge_by_rule_that_loses_is_cancelled_and_in_the_ledger() -> None:
    rule = HedgeRule(waste=1, second=10, large_first=0.5, decision=1, prior=0.5)
    _, route = run(cheap("It is Rome.", ["It is Rome."]), large(LONG), hedge=rule)
    record = route.leg(Leg(1))
    assert record is not None
    assert (record.state, record.started, record.reason) == (LegState.CANCELLED, 0.0, "samples_agree")


def test_an_insured_answer_stands_when_the_larger_model_fails() -> None:
    broken = large(Script.failing(after=0.3))
    events, route = run(cheap(LONG, DIFFER), broken, insurance=True)
    assert told(events)[0] == "[cheap]"
    assert route.answer == LONG_TEXT
    assert [record.state for record in route.legs if record.leg.probe is None] == [LegState.FINISHED, LegState.FAILED]


LONG_TEXT = "".join(text for _, text in LONG.steps)


class Weighed(ScriptedUpstream):
    """Says how probable each of its tokens was."""

    probable = 0.99

    async def _play(self, call: Call, scripts: Sequence[Script]) -> AsyncGenerator[Delta]:
        async for delta in super()._play(call, scripts):
            asked = call.request.params.get("logprobs") and delta.text
            logprobs = (TokenLogprob(delta.text, math.log(self.probable)),) if asked else ()
            yield replace(delta, logprobs=logprobs)


def logprobs(events: Sequence[StreamEvent]) -> list[TokenLogprob]:
    return [token for event in events if isinstance(event, TextDelta) for token in event.delta.logprobs]


@pytest.mark.parametrize(("limit", "calls"), [(0.95, 1), (0.995, 4)])
def test_probes_are_drawn_only_where_the_first_token_is_unsure(limit: float, calls: int) -> None:
    small = Weighed("It is Rome.", name="cheap")
    events, _ = run(small, large(), probes=ProbePlan(count=3, skip_confident=limit))
    assert len(small.calls) == calls
    assert small.calls[0].request.params == {"logprobs": True, "top_logprobs": 5}
    assert all("logprobs" not in call.request.params for call in small.calls[1:])
    assert not logprobs(events), "a reader sees what it did not ask for"


def test_log_probabilities_that_the_reader_asked_for_are_passed_on() -> None:
    small = Weighed("It is Rome.", name="cheap")
    events, _ = run(
        small, large(), probes=ProbePlan(count=3, skip_confident=0.9), params={"logprobs": True, "top_logprobs": 2}
    )
    assert len(logprobs(events)) == 3
    assert small.calls[0].request.params["top_logprobs"] == 2
