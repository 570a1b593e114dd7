import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.cascading import CascadeRouting, TierValue
from streamroute.core.policy import Snapshot
from streamroute.core.types import UNDECIDED, Decision, Evidence
from streamroute.errors import ConfigError

UNIT = st.floats(0, 1)
VALUES = st.builds(TierValue, keeps=UNIT, mends=UNIT, cost=st.floats(0, 3), delay=st.floats(0, 3))
TIERS = st.lists(VALUES, min_size=2, max_size=4).map(tuple)

SMALL, MIDDLE, LARGE = (
    TierValue(),
    TierValue(keeps=0.9, mends=0.5, cost=1.0),
    TierValue(keeps=0.98, mends=0.9, cost=4.0),
)


def snapshot(
    score: float, *, low: float | None = None, high: float | None = None, pending: int = 0, tier: int = 0,
    shown: float | None = None, dice: float = 0.5, settled: bool = True, judged: bool = True,
) -> Snapshot:  # fmt: skip
    evidence = Evidence(
        samples=5 - pending,
        expected=5,
        score=score,
        low=score if low is None else low,
        high=score if high is None else high,
        answer_cluster=0 if judged else None,
    )
    return Snapshot(
        tier=tier, last_tier=2, evidence=evidence, pending=pending, settled=settled, elapsed=1.0, answer_finished=True,
        shown=shown, dice=dice,
    )  # fmt: skip


def policy(price: float = 0.05, **more: float) -> CascadeRouting:
    return CascadeRouting(tiers=(SMALL, MIDDLE, LARGE), price=price, **more)


@pytest.mark.parametrize(
    ("price", "score", "to"),
    [(0.05, 0.05, None), (0.05, 0.3, 2), (0.15, 0.5, 1), (0.15, 0.9, 1), (0.1, 0.9, 2), (10.0, 0.9, None)],
)
def test_it_goes_where_quality_is_worth_its_price_and_skips_tiers(price: float, score: float, to: int | None) -> None:
    verdict = policy(price)(snapshot(score))
    assert verdict.decision is (Decision.ACCEPT if to is None else Decision.ESCALATE)
    assert verdict.to == to


@given(TIERS, UNIT, st.floats(0, 5), st.floats(0, 2), st.booleans())
def test_no_tier_would_have_been_better(
    tiers: tuple[TierValue, ...], wrong: float, price: float, second: float, shown: bool
) -> None:
    one = CascadeRouting(tiers=tiers, price=price, second=second)

    def worth(i: int) -> float:
        if i == 0:
            return 1 - wrong
        value = tiers[i]
        waited = value.delay + 2.0 * shown
        return value.keeps * (1 - wrong) + value.mends * wrong - price * (value.cost + second * waited)

    found = one.target(wrong, shown=shown)
    assert worth(found) >= max(worth(i) for i in range(len(tiers))) - 1e-12


@given(TIERS, UNIT)
def test_a_dearer_price_never_buys_a_dearer_tier(tiers: tuple[TierValue, ...], wrong: float) -> None:
    costs = [
        0.0 if (i := CascadeRouting(tiers=tiers, price=price).target(wrong)) == 0 else tiers[i].cost
        for price in (0.0, 0.1, 0.5, 2.0, 1e9)
    ]
    assert all(cheap <= dear + 1e-12 for dear, cheap in itertools.pairwise(costs))


@given(TIERS, UNIT, UNIT, UNIT, st.floats(0, 2))
def test_what_is_certain_early_is_what_the_last_probe_says(
    tiers: tuple[TierValue, ...], a: float, b: float, at: float, price: float
) -> None:
    low, high = min(a, b), max(a, b)
    one = CascadeRouting(tiers=tiers, price=price)
    early = one(snapshot((low + high) / 2, low=low, high=high, pending=2))
    if early.decided:
        final = one(snapshot(low + at * (high - low)))
        assert (early.decision, early.to) == (final.decision, final.to)


def test_bounds_with_different_winners_wait() -> None:
    assert policy()(snapshot(0.5, low=0.01, high=0.9, pending=3)) is UNDECIDED
    assert policy()(snapshot(0.9, low=0.6, high=0.95, pending=3)).reason == "certain_to_be_worth_it"
    assert policy()(snapshot(0.01, low=0.0, high=0.02, pending=3)).reason == "certain_not_to_be"


def test_an_answer_that_is_not_judged_yet_waits_unless_nothing_more_comes() -> None:
    waiting = snapshot(0.9, low=0.0, high=1.0, settled=False, judged=False)
    assert policy()(waiting) is UNDECIDED
    assert policy()(snapshot(0.9, judged=False)).decision is Decision.ESCALATE


def test_nothing_is_decided_without_evidence() -> None:
    nothing = Snapshot(tier=0, last_tier=2, evidence=None, pending=5, settled=False, elapsed=0.0, answer_finished=False)
    assert policy()(nothing) is UNDECIDED


def test_what_the_reader_has_seen_costs_a_withdrawal() -> None:
    dear = policy(second=2.0)
    assert dear(snapshot(0.4)).decision is Decision.ESCALATE
    assert dear(snapshot(0.4, shown=1.0)).decision is Decision.ACCEPT


def test_the_middle_tier_chooses_among_those_above_it() -> None:
    assert policy(0.0)(snapshot(0.9, tier=1)).to == 2
    assert policy(0.0)(snapshot(0.9, tier=2)).decision is Decision.ACCEPT


def test_the_dice_mixes_two_prices() -> None:
    mixed = policy(10.0, mixed_price=0.0, mix=0.3)
    assert mixed(snapshot(0.5, dice=0.29)).decision is Decision.ESCALATE
    assert mixed(snapshot(0.5, dice=0.3)).decision is Decision.ACCEPT


@pytest.mark.parametrize("wrong", [{"keeps": 1.1}, {"mends": -0.1}, {"cost": -1.0}, {"delay": float("nan")}])
def test_values_that_make_no_sense_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TierValue(**wrong)
