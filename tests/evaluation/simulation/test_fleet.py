"""Fleets of small routes, whose every moment can be worked out by hand, and what holds for any fleet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamroute.core.actions import Score
from streamroute.core.plan import Plan
from streamroute.core.types import Evidence, Release
from streamroute.evaluation.rows import Timing
from streamroute.evaluation.simulation.fleet import Fleet, Request, Shedding, requests_of
from streamroute.evaluation.simulation.gauges import Durations
from streamroute.evaluation.simulation.judging import Bench, PairQueue
from streamroute.evaluation.simulation.legs import Asked, RecordedRoute
from streamroute.evaluation.simulation.outcome import Outcome
from streamroute.evaluation.simulation.simulate import simulate
from streamroute.evaluation.simulation.stepping import JudgeOf
from streamroute.evaluation.simulation.systems import Settings, system
from streamroute.evaluation.simulation.tally import EVEN, SHED
from streamroute.evaluation.simulation.timings import JudgePace
from streamroute.nli.jobs import BATCH_PAIRS
from tests.evaluation.simulation.recorded import Written, about, plan, route

PACE = JudgePace(verdict=0.03, pair=0.01)
UNJUDGED = Plan(tiers=(None, None), judge=False, unjudged=SHED)

# `route()` alone: two new pairs at .4 (until .42, and .03 for the verdict), none at .5 and .53, two at .6: decided at
# .65 and, where the answer is kept, over.


def served(
    times: Iterable[float],
    *,
    plan: Plan | None = None,
    route: RecordedRoute | None = None,
    judge: JudgeOf | None = None,
    cores: int = 1,
    benches: int = 1,
    most: int = 1000,
    pace: JudgePace = PACE,
    seconds: Callable[[int], float] | None = None,
    requests: Sequence[Request] = (),
    **more: Any,
) -> tuple[Fleet, list[Outcome]]:
    """What became of requests at these `times`, in the order in which they ended."""
    heard: list[Outcome] = []
    kept = requests or [Request(route or ROUTE, plan or PLAN, UNJUDGED)]
    took = seconds or (lambda pairs: pace.pair * pairs)
    shared = [Bench(cores, PairQueue(most), took) for _ in range(benches)]
    fleet = Fleet(kept, shared, judge or Written((0.1, 0.1)), verdict=pace.verdict, heard=heard.append, **more)
    fleet.run(times)
    assert all(bench.queue.queued == 0 and bench.free == bench.cores for bench in shared)
    return fleet, heard


ROUTE, PLAN = route(), plan(release=Release.RETRACT)


def test_a_request_that_meets_nobody_is_what_it_is_alone() -> None:
    alone = simulate(ROUTE, PLAN, Written((0.1, 0.1)), EVEN, PACE)
    fleet, heard = served([1.1, 4.7, 1000.3])
    assert heard == [alone] * 3
    assert (fleet.streams.peak, fleet.refused, fleet.withdrawn, fleet.delays.percentile(1)) == (1, 0, 0, 0)


def test_two_at_the_same_moment_wait_for_each_other() -> None:
    fleet, heard = served([0, 0])
    assert [found.decided for found in heard] == [about(0.65), about(0.67)]
    assert [fleet.delays.percentile(share) for share in (0.5, 1)] == [0, pytest.approx(0.02, rel=0.003)]
    assert fleet.streams.peak == 2
    assert [found.decided for found in served([0, 0], cores=2)[1]] == [about(0.65)] * 2


def test_what_waits_together_runs_together() -> None:
    """The third joins the second: their four pairs are there at .46, and the last four, behind two, at .66."""
    _, heard = served([0, 0, 0])
    assert [found.decided for found in heard] == [about(0.65), about(0.69), about(0.69)]


def test_a_question_that_comes_to_its_deadline_is_withdrawn_and_costs_no_core() -> None:
    pace = JudgePace(verdict=0.03, pair=0.5)
    fleet, heard = served([0, 0, 10], plan=plan(release=Release.RETRACT, decision_deadline=0.8), pace=pace)
    assert [(found.reason, found.decided) for found in heard] == [("deadline", 0.8)] * 3
    assert (fleet.withdrawn, fleet.refused, len(fleet.delays), fleet.delays.never) == (1, 0, 3, 1)
    assert fleet.utilisation == about(1 / 10)  # of the first; that of the third is after the last arrival


def test_a_full_queue_sheds_and_the_route_ends_as_its_plan_says() -> None:
    fleet, heard = served([0, 0, 0], most=2)
    assert [(found.reason, found.decided) for found in heard][:2] == [
        ("scorer_failed", about(0.43)),
        ("samples_agree", about(0.65)),
    ]
    assert (fleet.refused, fleet.withdrawn, fleet.delays.never) == (1, 0, 1)
    assert len(heard) == 3


@pytest.mark.parametrize("urgent", [True, False])
def test_the_most_urgent_go_first_unless_told_otherwise(urgent: bool) -> None:
    """Forty at once, of which about half have to be decided earlier."""
    kinds = {"soon": 50.0, "late": 100.0}
    requests = [
        Request(replace(route(), id=kind), plan(decision_deadline=limit), UNJUDGED) for kind, limit in kinds.items()
    ]
    _, heard = served([0.0] * 40, requests=requests, urgent=urgent)
    soon, late = (fmean(found.decided or 0 for found in heard if found.id == kind) for kind in kinds)
    assert (soon < 0.8 * late) == urgent


def test_probes_are_shed_while_too_many_streams_are_open() -> None:
    fleet, heard = served([0, 0, 0, 5], shedding=Shedding(streams=2))
    assert sorted(found.reason for found in heard) == ["samples_agree"] * 3 + [SHED]
    shed = next(found for found in heard if found.reason == SHED)
    assert (shed.probes_started, shed.verdicts, shed.tier) == (0, 0, 0)
    assert fleet.streams.peak == 3


def test_probes_are_shed_while_the_judge_is_behind() -> None:
    """The third comes when the first is being compared and the second waits: two pairs, of half a second each."""
    pace = JudgePace(verdict=0, pair=0.5)
    for backlog, reasons in ((0.9, ["samples_agree"] * 2 + [SHED]), (1.1, ["samples_agree"] * 3)):
        _, heard = served([0, 0, 0.45], pace=pace, shedding=Shedding(backlog=backlog))
        assert sorted(found.reason for found in heard) == reasons


def test_benches_do_not_help_each_other() -> None:
    """By the draw, two routes share one of two benches or have one each; cores before one queue are never idle while
    somebody waits."""
    apart = {served([0, 0], benches=2, seed=seed)[0].delays.percentile(1) for seed in range(8)}
    assert sorted(delay or 0 for delay in apart) == [0, pytest.approx(0.02, rel=0.003)]
    assert {served([0, 0], cores=2, seed=seed)[0].delays.percentile(1) for seed in range(8)} == {0}


def test_every_system_can_be_served() -> None:
    """Each route as it sees it, with its own dice."""
    (request,) = requests_of(system("sequential", Settings(probes=2)), [ROUTE])
    assert request.plan.dice == ROUTE.dice
    assert (request.unjudged.judge, request.unjudged.unjudged) == (False, SHED)
    assert request.route.tiers[0].answer.events[0][0] == ROUTE.tiers[0].answer.end


# -- any fleet ---------------------------------------------------------------------------------------------------------

gaps = st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.05, 0.2]), min_size=1, max_size=40)


def routes() -> list[RecordedRoute]:
    """Anew each time: routes remember what a judge said of them."""
    return [
        route(
            "It is Rome. " * (1 + number % 3),
            sample_timings=[Timing(0.2, 0.4 + number / 10, 3), Timing(0.2, 0.9 - number / 10, 3)],
        )
        for number in range(4)
    ]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_alone_in_the_fleet_is_alone(data: st.DataObject) -> None:
    """To the last bit, whatever the plan, the judge and the record."""
    pace = JudgePace(verdict=0.007, pair=data.draw(st.floats(0, 0.1)))
    asked = plan(
        data.draw(st.sampled_from([0.3, 0.6])),
        release=data.draw(st.sampled_from(Release)),
        decision_deadline=data.draw(st.none() | st.floats(0, 1)),
        hedge_after=data.draw(st.none() | st.floats(0, 1)),
    )
    judge = Written((data.draw(st.floats(0, 1)),) * 2, pairs=data.draw(st.integers(0, 8)))
    found = data.draw(st.sampled_from(routes()))
    _, heard = served([0.1, 17.3, 1e5 + 1 / 3], route=found, plan=asked, judge=judge, pace=pace)
    assert heard == [simulate(found, asked, judge, EVEN, pace)] * 3


@settings(max_examples=80, deadline=None)
@given(gaps, st.data())
def test_all_that_begins_ends_and_nothing_is_left_over(gaps: list[float], data: st.DataObject) -> None:
    """And all of it again where the seed is the same."""
    times = list(accumulate(gaps))
    deadline = data.draw(st.none() | st.floats(0, 1))
    asked = plan(release=Release.RETRACT, decision_deadline=deadline, hedge_after=0.1)
    cores, benches = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
    settings: dict[str, Any] = {
        "requests": [Request(each, asked, UNJUDGED) for each in routes()],
        "judge": Written((0.4, 0.9), pairs=7),
        "cores": cores,
        "benches": benches,
        "most": data.draw(st.integers(1, 12)),
        "shedding": Shedding(
            streams=data.draw(st.none() | st.integers(0, 9)), backlog=data.draw(st.none() | st.floats(0, 0.1))
        ),
        "urgent": data.draw(st.booleans()),
        "seed": data.draw(st.integers(0, 5)),
    }
    fleet, heard = served(times, **settings)
    assert len(heard) == len(times)
    assert (fleet.streams.now, fleet.busy.now) == (0, 0)
    assert 0 < fleet.streams.peak <= len(times)
    assert fleet.busy.peak <= cores * benches
    assert 0 <= fleet.utilisation <= 1
    assert fleet.refused + fleet.withdrawn == fleet.delays.never
    again, heard_again = served(times, **settings)
    assert heard_again == heard
    assert (again.utilisation, again.mean_streams) == (fleet.utilisation, fleet.mean_streams)


@settings(max_examples=100, deadline=None)
@given(gaps, st.integers(1, 4), st.lists(st.sampled_from([0.001, 0.01, 0.03, 0.1, 0.5]), min_size=40, max_size=40))
def test_more_cores_never_make_the_delay_longer(gaps: list[float], cores: int, seconds: list[float]) -> None:
    """Of routes that ask once each, so that the questions come when they come, whatever the judge is busy with; and
    each for a whole run, for where small ones share it, the last of them may come to begin with the first."""

    def once(route: RecordedRoute, asked: Asked, action: Score) -> Evidence:
        return Evidence(samples=1, expected=2, score=0, high=0, answer_cluster=0, nli_pairs=BATCH_PAIRS)

    def delays(cores: int) -> Durations:
        each = iter(seconds)  # they begin in the order in which they came
        fleet, heard = served(
            accumulate(gaps), cores=cores, route=route(), plan=plan(), judge=once, seconds=lambda pairs: next(each)
        )
        assert {found.verdicts for found in heard} == {1}
        return fleet.delays

    few, many = delays(cores), delays(cores + 1)
    for share in (0.1, 0.25, 0.5, 0.75, 0.95, 1):
        shorter, longer = many.percentile(share), few.percentile(share)
        assert shorter is not None
        assert longer is not None
        assert shorter <= longer
