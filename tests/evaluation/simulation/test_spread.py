from __future__ import annotations

from math import log
from random import Random
from statistics import fmean, stdev

import pytest

from streamroute.evaluation.simulation.simulate import simulate
from streamroute.evaluation.simulation.spread import spread
from tests.evaluation.simulation.recorded import BILLING, Written, about, plan, route


def test_legs_take_log_normal_times_around_what_was_said() -> None:
    copies = spread([route()], 0.3, 2000, Random(1))
    answers = [log(copy.tiers[0].answer.end / route().tiers[0].answer.end) for copy in copies]
    probes = [log(copy.tiers[0].probes[0].end / route().tiers[0].probes[0].end) for copy in copies]
    for found in (answers, probes):
        assert fmean(found) == pytest.approx(0, abs=0.03)
        assert stdev(found) == pytest.approx(0.3, rel=0.06)
    assert answers != probes


def test_a_leg_is_slower_as_a_whole_and_costs_what_it_cost() -> None:
    (copy,), before = spread([route()], 0.5, 1, Random(2)), route()
    for slower, leg in ((copy.tiers[0].answer, before.tiers[0].answer), (copy.tiers[1].answer, before.tiers[1].answer)):
        by = slower.end / leg.end
        assert [at for at, _ in slower.events] == about([by * at for at, _ in leg.events])
        assert [event for _, event in slower.events] == [event for _, event in leg.events]
        assert slower.tokens_by(by * 0.35) == leg.tokens_by(0.35)
        assert slower.tokens == leg.tokens


def test_what_is_said_of_one_copy_is_known_of_all() -> None:
    judge, (one, other) = Written(), spread([route()], 0.0, 2, Random(3))
    first = simulate(one, plan(), judge, BILLING)
    asked = len(judge.asked)
    assert simulate(other, plan(), judge, BILLING) == first
    assert len(judge.asked) == asked
