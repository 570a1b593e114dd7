import dataclasses
from collections.abc import Sequence

import pytest

from streamroute.evaluation.comparison.sets import PRIMARY, Compared, compare
from streamroute.evaluation.judged import judge_rows
from streamroute.evaluation.methods import FITTED, OURS
from streamroute.evaluation.rows import CheapLeg, LargeLeg, RoutingRow, Timing
from streamroute.evaluation.simulation.outcome import Billing
from streamroute.uncertainty.base import Pair, Relations
from tests.evaluation.judges import CONTRADICTS, ENTAILS


class SameWords:
    """Texts entail each other where they are spelled alike, and contradict each other where not."""

    def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
        return [Relations(*[ENTAILS if pair.a == pair.b else CONTRADICTS] * 2) for pair in pairs]


CITIES = ("Perth", "Sydney", "Hobart", "Cairns", "Darwin")


TOOK = Timing(0.1, 0.2, 4, [(0.1, 3), (0.2, 10)])


def row(number: int) -> RoutingRow:
    """Every second question is not known to the cheap model: then its samples differ. The large one knows all but every
    tenth."""
    known = number % 2 == 0
    samples = ["It is Canberra."] * 3 if known else [f"It is {CITIES[(number + i) % 5]}." for i in range(3)]
    return RoutingRow(
        id=str(number),
        question=f"What is the capital number {number}?",
        cheap=CheapLeg(answer=samples[0], samples=samples, correct=known, model="small", sample_timings=[TOOK] * 3),
        large=LargeLeg(answer="It is Canberra.", correct=number % 10 != 1, model="large"),
        gold=["Canberra"],
    )


@pytest.fixture(scope="module")
def compared() -> Compared:
    rows = [row(number) for number in range(40)]
    return compare(rows, judge_rows(SameWords(), rows), Billing.of_ratio(15), resamples=50)


def test_methods_stand_by_falling_auroc_with_ours_among_them(compared: Compared) -> None:
    areas = [entry.auroc.value or 0.0 for entry in compared.entries]
    assert areas == sorted(areas, reverse=True)
    assert {OURS, FITTED, "random", "discrete-se", "query-router"} <= {entry.name for entry in compared.entries}
    assert len(compared.entries) >= 20


def test_what_is_obvious_from_the_samples_is_found_and_mended_at_its_price(compared: Compared) -> None:
    ours = next(entry for entry in compared.entries if entry.name == OURS)
    assert ours.auroc.value == 1.0
    assert ours.held_out.escalated.value == pytest.approx(0.5, abs=0.06)
    assert ours.held_out.gap.value == pytest.approx(0.95, abs=0.1)
    cost = ours.held_out.cost.value
    assert cost is not None
    assert 0.5 < cost < 1.0


def test_random_recovers_half_of_the_gap_on_average(compared: Compared) -> None:
    chance = next(entry for entry in compared.entries if entry.name == "random")
    assert chance.auroc.value == 0.5
    assert chance.apgr.value == pytest.approx(0.5)
    assert chance.cpt50.value == pytest.approx(0.5)


def test_estimates_lie_in_their_intervals(compared: Compared) -> None:
    for entry in compared.entries:
        for name in ("auroc", "aurc", "apgr"):
            value, low, high = getattr(entry, name)
            assert value is None or low is None or low <= value + 0.05
            assert value is None or high is None or value <= high + 0.05


def test_planned_comparisons_have_p_values_and_the_best_of_all_has_none(compared: Compared) -> None:
    assert {each.other for each in compared.against} <= set(PRIMARY)
    assert all(each.p is not None and 0 < each.p <= 1 for each in compared.against)
    assert compared.best is not None
    assert compared.best.p is None
    assert compared.best.other not in (OURS, FITTED)


def test_only_methods_that_are_named_are_looked_at() -> None:
    rows = [row(number) for number in range(10)]
    found = compare(rows, judge_rows(SameWords(), rows), Billing.of_ratio(15), resamples=5, only=(OURS,))
    assert [entry.name for entry in found.entries] == [OURS]
    assert found.best is None


def test_all_of_it_is_plain_data(compared: Compared) -> None:
    plain = dataclasses.asdict(compared)
    assert plain["n"] == 40
    assert plain["oracle"] == pytest.approx(0.9)
    assert plain["foresight"] < compared.entries[0].held_out.cost.value
