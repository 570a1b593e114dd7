"""Probes that end with their claim (`until="claim"`): when they do, what is judged, and what is cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from streamroute.core.types import Decision, Evidence, Leg, Sample
from streamroute.routing.router import ProbePlan
from streamroute.routing.stream import LegState, Route
from streamroute.testing import CallState, ScriptedScorer, ScriptedUpstream
from tests.routing.support import cheap, large, play, router

UNTIL = ProbePlan(count=3, until="claim")
MORE = " It is old. It is large. It is in Italy, as many know."
"""Twelve words, .24 s, that say nothing further about the question."""


class Hearing(ScriptedScorer):
    """Remembers what it was last asked about."""

    samples: Sequence[Sample] = ()

    async def evaluate(self, **asked: Any) -> Evidence:
        self.samples = asked["samples"]
        return await super().evaluate(**asked)


def probed(small: ScriptedUpstream, plan: ProbePlan = UNTIL) -> tuple[Route, Sequence[Sample]]:
    judge = Hearing()
    _, route = play(router(small, large(), probes=plan, scorer=judge))
    return route, judge.samples


@pytest.mark.parametrize("supports_n", [False, True])
def test_a_probe_is_judged_and_cancelled_when_it_has_made_its_claim(supports_n: bool) -> None:
    small = cheap(probes=[f"It is Rome.{MORE}"] * 3, supports_n=supports_n)
    route, samples = probed(small)
    assert samples == (Sample("It is Rome.", "claim"),) * 3
    assert route.timings.decided == pytest.approx(0.16)  # .14 for three words, and the judge twice: of one, of all
    assert [call.state for call in small.calls] == [CallState.FINISHED] + [CallState.CLOSED] * (1 if supports_n else 3)
    for probe in range(3):
        leg = route.leg(Leg(0, probe))
        assert leg is not None
        assert (leg.state, leg.reason, leg.text) == (LegState.CANCELLED, "said enough", "It is Rome.")
        assert leg.completion_tokens == 3


def test_by_default_a_probe_is_heard_to_its_end() -> None:
    route, samples = probed(cheap(probes=[f"It is Rome.{MORE}"] * 3), ProbePlan(count=3))
    assert samples == (Sample(f"It is Rome.{MORE}", "stop"),) * 3
    assert route.timings.decided == pytest.approx(0.42)


def test_the_other_choices_of_a_request_go_on() -> None:
    small = cheap("It is Rome.", [f"It is Oslo.{MORE}", f"Sure! It is Riga.{MORE}"], supports_n=True)
    route, samples = probed(small, ProbePlan(count=2, until="claim"))
    assert [sample.text for sample in samples] == ["It is Oslo.", "Sure! It is Riga."]
    assert small.calls[1].state is CallState.CLOSED
    assert small.calls[1].ended == pytest.approx(0.16)  # with the last claim
    first = route.leg(Leg(0, 0))
    assert first is not None
    assert first.completion_tokens == 4  # the model went on with it as long as with the others, and so it is told


@pytest.mark.parametrize(
    "text", ["I don't know. It may be large.", "It is 3.14 metres", "Is it Rome? Or not? Who", "Hm"]
)
def test_a_probe_without_a_claim_is_heard_to_its_end(text: str) -> None:
    _, samples = probed(cheap(probes=[text]), ProbePlan(count=1, until="claim"))
    assert samples == (Sample(text, "stop"),)


def test_a_number_may_go_on_behind_its_point() -> None:
    _, samples = probed(cheap(probes=[f"It has 3. {MORE}"]), ProbePlan(count=1, until="claim"))
    assert samples == (Sample("It has 3. ", "claim"),)


def test_of_sums_the_first_sentence_is_working_not_result() -> None:
    judge = Hearing()
    small = cheap(probes=["First I add 2 and 2. That makes 4."])
    made = router(small, large(), probes=ProbePlan(count=1, until="claim"), scorer=judge)
    asked = [{"role": "user", "content": "How much is 2 + 2?"}]
    _, route = play(made, messages=asked)
    assert [sample.text for sample in judge.samples] == ["First I add 2 and 2. That makes 4."]
    assert route.verdict is not None


def test_a_verdict_may_fall_with_the_claim_that_decides_it() -> None:
    small = cheap(
        "It is Rome.", [f"It is Oslo.{MORE}", f"It is Bern.{MORE}", "It is Riga, " + "or so, " * 60 + "I think."]
    )
    route, _ = probed(small)
    assert route.verdict is not None
    assert route.verdict.decision is Decision.ESCALATE
    assert route.timings.decided == pytest.approx(0.16)
    assert small.running == 0
