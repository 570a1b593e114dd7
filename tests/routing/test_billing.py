"""What a leg costs that was cut off, by how its upstream bills it."""

from __future__ import annotations

import pytest

from streamroute.routing.billing import Billing, CancelBilling
from streamroute.routing.router import Price, ProbePlan, Router, Tier
from streamroute.routing.stream import LegRecord, LegState
from streamroute.testing import Script, ScriptedScorer, ScriptedUpstream, run_virtual
from tests.routing.support import ASK

PRICE = Price(completion=1e6)  # a token costs 1


def legs_of(by: Billing) -> tuple[LegRecord, list[LegRecord]]:
    """Of a route whose first answer has ended and whose second one is escalated after a word: the cut leg of the
    second, and all legs of both."""
    billing = CancelBilling(by)
    long, short = Script.of("one two three four five six."), Script([(0.1, "Rome"), (100.0, " is it.")])
    small = ScriptedUpstream(long, ["a.", "b.", "c."], name="cheap")
    tiers = [
        Tier(upstream=small, probes=ProbePlan(count=3), price=PRICE, cancelled=billing),
        Tier(upstream=ScriptedUpstream("It is Canberra.", name="large")),
    ]

    async def main() -> tuple[LegRecord, list[LegRecord]]:
        async with Router(tiers, scorer=ScriptedScorer()) as router:
            first = await router.complete(ASK, judge=False)
            small.answer = short
            second = await router.complete(ASK)
            return second.route.legs[0], [*first.route.legs, *second.route.legs]

    return run_virtual(main)


@pytest.mark.parametrize(("by", "cost"), [("generated", 1.0), ("full", 6.0), ("unknown", 1.0)])
def test_a_cancelled_answer_costs_what_its_upstream_bills(by: Billing, cost: float) -> None:
    cut, legs = legs_of(by)
    assert (cut.state, cut.billing, cut.cost) == (LegState.CANCELLED, by, cost)
    assert (cut.completion_tokens, cut.counted) == (1, False), "the tokens are those that came"
    assert {leg.billing for leg in legs if leg.state is LegState.FINISHED} == {None}


def test_until_an_answer_has_ended_only_what_came_is_known() -> None:
    billing = CancelBilling("full")
    assert billing.tokens(3, probe=False) == 3
    for tokens in (10, 20):
        billing.ended(tokens, probe=False)
    assert billing.tokens(3, probe=False) == 15
    assert billing.tokens(40, probe=False) == 40
    assert billing.tokens(3, probe=True) == 3, "probes are shorter than answers"


def test_a_failure_is_named_without_its_words() -> None:
    async def main() -> None:
        broken = ScriptedUpstream(Script.failing(text="It"), name="only")
        async with Router([Tier(upstream=broken)]) as router, router.stream(ASK) as stream:
            with pytest.raises(Exception, match="scripted failure"):
                async for _ in stream:
                    pass
            (leg,) = stream.route.legs
            assert (leg.state, leg.failure) == (LegState.FAILED, "UpstreamError")
            assert stream.route.timings.finished is not None, "a route is over when its failure is told"

    run_virtual(main)
