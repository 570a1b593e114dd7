from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as restructured

from streamroute.calibration.artefact import ThresholdFit
from streamroute.calibration.thresholds import Calibrated
from streamroute.core.actions import Score
from streamroute.core.plan import AutoRelease, Plan
from streamroute.core.selection import CascadeRouting
from streamroute.core.types import Evidence, Release
from streamroute.errors import ConfigError
from streamroute.evaluation.simulation import systems
from streamroute.evaluation.simulation.legs import Asked, RecordedRoute
from streamroute.evaluation.simulation.outcome import Billing, Outcome
from streamroute.evaluation.simulation.simulate import simulate
from streamroute.evaluation.simulation.systems import POLICIES, SYSTEMS, Settings, auto_of, run_system, system
from tests.calibration.made import artefact
from tests.evaluation.simulation.recorded import BILLING, TIMINGS, Written, about, route, row

SETTINGS = Settings(probes=2)


class Agreeing(Written):
    """Says as well that every probe means what the answer means, or that none does, by the score."""

    def __call__(self, route: RecordedRoute, asked: Asked, action: Score) -> Evidence:
        found = super().__call__(route, asked, action)
        if found.score < 0.5:
            return replace(found, assignment=(0,) * found.samples, sizes=(found.samples + 1,))
        return replace(found, assignment=(1,) * found.samples, sizes=(1, found.samples))


def played(name: str, score: float, settings: Settings = SETTINGS, **cheap: Any) -> Outcome:
    judge = Agreeing((score,) * settings.probes)
    (found,) = run_system(system(name, settings), [route(**cheap)], judge, BILLING, TIMINGS.judge)
    return found


def test_the_baselines_ask_one_model_and_no_judge() -> None:
    cheap, large = played("always-cheap", 0.9), played("always-large", 0.1)
    assert (cheap.tier, cheap.first_kept, cheap.verdicts, cheap.cost) == (0, 0.3, 0, 3)
    assert (large.tier, large.first_kept, large.verdicts, large.cost) == (1, 1.0, 0, 30)


def test_a_sequential_cascade_generates_probes_judges_and_asks_one_after_the_other() -> None:
    """The answer is there at .5; the probes end at .9 and 1.1, and the judge takes .05 for each."""
    kept, switched = played("sequential", 0.1), played("sequential", 0.9)
    assert (kept.tier, kept.first_shown, kept.decided) == (0, about(1.15), about(1.15))
    assert (switched.tier, switched.decided) == (1, about(1.15))
    assert switched.first_shown == switched.first_kept == about(2.15)
    assert (switched.wasted_cheap, switched.probes) == (3, 2)


def test_every_release_mode_is_a_system_of_its_name() -> None:
    for release in Release:
        assert system(str(release), SETTINGS).plan.release is release


def test_a_hedge_waits_less_for_what_is_escalated_than_a_retraction_does() -> None:
    hedge, retract = played("hedge", 0.9), played("retract", 0.9)
    assert hedge.retracted
    assert hedge.first_kept == 1.0
    assert retract.first_kept == about(1.65)


def test_what_is_set_holds_for_all_that_judge() -> None:
    chosen = Settings(threshold=0.25, probes=7, wave=3, deadline=9.0, hedge_after=0.5)
    for name in SYSTEMS:
        plan = system(name, chosen).plan
        schedule = plan.schedule(0)
        if schedule is not None:
            assert (schedule.count, schedule.wave) == (7, 3)
            assert plan.decision_deadline == (None if name == "sequential" else 9.0)
        assert (plan.hedge_after == 0.5) == (name == "hedge")


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_of_a_configuration_decides(policy: Any) -> None:
    chosen = replace(SETTINGS, policy=policy, wave=1)
    kept, switched = played("hold", 0.01, chosen), played("hold", 0.99, chosen)
    assert (kept.tier, switched.tier) == (0, 1)
    assert chosen.limit == (None if policy in ("gain", "cascade-routing") else 0.5)


def test_a_rule_that_stops_starts_fewer_probes_where_they_come_in_waves() -> None:
    all_at_once, one_by_one = (
        played("hold", 0.01, replace(SETTINGS, policy="sprt", probes=4, wave=wave), samples=["Rome."] * 4)
        for wave in (None, 1)
    )
    assert all_at_once.probes_started == 4 > one_by_one.probes_started


def test_nothing_is_probed_where_the_first_token_was_confident() -> None:
    for logprob, started in ((-0.01, 0), (-1.0, 2)):
        sure = replace(SETTINGS, skip_confident=0.9)
        assert played("hold", 0.9, sure, logprobs=[logprob] * 3).probes_started == started


def test_prices_are_told_to_a_policy_that_weighs() -> None:
    for ratio in (1.0, 15.0):
        chosen = replace(SETTINGS, policy="cascade-routing", prices=Billing.of_ratio(ratio).prices)
        policy = system("hold", chosen).plan.policy
        assert isinstance(policy, CascadeRouting)
        assert (policy.tiers[0].cost, policy.tiers[1].cost) == (about(1 / ratio), 1.0)


def test_a_calibration_has_the_threshold_unless_another_is_set() -> None:
    cut = ThresholdFit(tau=0.8, gamma=0.25, conservative=0.1)
    chosen = replace(SETTINGS, calibration=artefact(threshold=cut))
    assert chosen.limit == 0.8
    assert system("hold", chosen).plan.policy == Calibrated(0.8, 0.25)
    assert (played("hold", 0.7, chosen).tier, played("hold", 0.7).tier) == (0, 1)
    other = replace(chosen, threshold=0.3)
    assert other.limit == 0.3
    assert system("hold", other).plan.policy == Calibrated(0.3, 0.0)


def test_a_system_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no system 'holt' .*hold"):
        system("holt", SETTINGS)


def test_every_route_is_decided_with_its_own_dice_and_always_with_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    thrown: list[float] = []

    def watched(route: RecordedRoute, plan: Plan, *args: Any) -> Outcome:
        thrown.append(plan.dice)
        return simulate(route, plan, *args)

    monkeypatch.setattr(systems, "simulate", watched)
    routes = [RecordedRoute.of(restructured(row(), id=name), TIMINGS) for name in ("a", "b", "a")]
    run_system(system("hold", SETTINGS), routes, Written(), BILLING, TIMINGS.judge)
    first, second, third = thrown
    assert first == third != second
    assert all(0 <= dice < 1 for dice in thrown)


def test_auto_expects_what_routes_like_these_did() -> None:
    kept, switched = played("retract", 0.1), played("retract", 0.9)
    found = auto_of([kept, switched, switched, switched._replace(decided=None)], 3.0)
    assert (found.annoyance, found.prior) == (3.0, about(2 / 3))
    assert found.decision_gap == about(0.35)


def test_auto_holds_what_is_doubtful_and_shows_the_rest() -> None:
    doubtful, sure = (restated(prior=prior) for prior in (0.9, 0.1))
    assert played("auto", 0.1, doubtful).first_shown == about(0.45), "the first evidence says that it may be shown"
    assert not played("auto", 0.9, doubtful).retracted
    assert played("auto", 0.9, sure).retracted
    assert played("auto", 0.1, sure).first_shown == 0.3


def restated(*, prior: float) -> Settings:
    return replace(SETTINGS, auto=AutoRelease(prior=prior, decision_gap=0.4, annoyance=2.0))
