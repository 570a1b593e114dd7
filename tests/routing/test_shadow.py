"""A shadow route waits for all there is to know, and labels by what the larger model says."""

from __future__ import annotations

from typing import Any

import pytest

from streamroute.calibration.records import Record
from streamroute.errors import RouteError
from streamroute.routing.shadow import Shadow
from streamroute.routing.tiers import Price, ProbePlan, Tier
from streamroute.testing import Script, ScriptedScorer, ScriptedUpstream, run_virtual
from tests.routing.support import ASK, cheap, large


async def spelled_otherwise(question: str, a: str, b: str) -> bool | None:
    return None if b == "No." else a != b


def shadowed(small: ScriptedUpstream, *larger: ScriptedUpstream, **scorer: Any) -> Record | None:
    tiers = [Tier(upstream=one, probes=ProbePlan(count=3)) for one in (small, *larger[:-1])]
    tiers.append(Tier(upstream=larger[-1], price=Price(completion=1e6)))
    shadow = Shadow(tiers, ScriptedScorer(**scorer), spelled_otherwise)
    return run_virtual(lambda: shadow.record("x", ASK, {}))


def test_a_right_answer_that_the_live_route_would_keep_is_compared_too() -> None:
    small, big = cheap("It is Canberra.", ["It is Canberra."] * 3), large()
    found = shadowed(small, big)
    assert found == Record(
        id="x", score=0.0, wrong=False, large_wrong=False, cost=3.0, group="What is the capital of Australia?"
    )
    assert (len(small.calls), len(big.calls)) == (4, 1)


def test_a_wrong_answer_is_labelled_so_however_sure_its_samples_are() -> None:
    found = shadowed(cheap("It is Rome.", ["It is Rome."] * 3), large())
    assert found is not None
    assert (found.wrong, found.score) == (True, 0.0)


def test_no_verdict_falls_before_the_last_probe() -> None:
    late = Script.of("It is Rome.", first=9.0)
    found = shadowed(cheap("It is Rome.", ["It is Oslo.", "It is Bern.", late]), large())
    assert found is not None
    assert found.score == pytest.approx(2 / 3)


def test_tiers_between_are_not_asked() -> None:
    between = ScriptedUpstream("It is Oslo.", name="between")
    found = shadowed(cheap(), between, large())
    assert found is not None
    assert between.calls == []


def test_what_gives_no_label_gives_no_record() -> None:
    assert shadowed(cheap(), large("No.")) is None
    assert shadowed(cheap(Script.failing(name="cheap")), large()) is None
    assert shadowed(cheap(), large(), error=RuntimeError("judge")) is None
    with pytest.raises(RouteError):
        shadowed(cheap(Script.failing(name="cheap")), large(Script.failing(name="large")))
