import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.evaluation.comparison.money import LegCosts, foresight, leg_costs
from streamroute.evaluation.methods import Kind, Method
from streamroute.evaluation.rows import CheapLeg, LargeLeg, RoutingRow, Timing
from streamroute.evaluation.simulation.outcome import Billing

TOOK = Timing(0.1, 1.0, 10)
ROW = RoutingRow(
    id="a",
    question="Which?",
    cheap=CheapLeg(
        answer="Sydney.",
        samples=["Perth."] * 3,
        correct=False,
        timing=TOOK,
        sample_timings=[Timing(0.1, 1.0, 6)] * 3,
        prompt_tokens=20,
    ),
    large=LargeLeg(answer="Canberra.", correct=True, timing=TOOK, prompt_tokens=40),
)
BILLING = Billing.of_ratio(10, prompt=0.5)  # in generated tokens of the cheap tier


def method(name: str, *, probes: float = 0.0, taken: list[int] | None = None) -> Method:
    return Method(
        name=name,
        kind=Kind.BASELINE,
        scores=np.zeros(1),
        undefined=0,
        probes=probes,
        nli_pairs=0.0,
        milliseconds=0.0,
        taken=None if taken is None else np.array(taken),
    )


def test_each_leg_costs_its_prompt_and_its_tokens() -> None:
    costs = leg_costs([ROW], BILLING, together=False)
    assert costs.cheap[0] == pytest.approx(20 * 0.5 + 10)
    assert costs.samples[0].tolist() == pytest.approx([n * (20 * 0.5 + 6) for n in range(4)])
    assert costs.large[0] == pytest.approx(10 * (40 * 0.5 + 10))


def test_samples_may_share_one_prompt() -> None:
    assert leg_costs([ROW], BILLING, together=True).samples[0].tolist() == pytest.approx([0, 16, 22, 28])


def test_who_decides_before_an_answer_pays_for_one_of_the_two() -> None:
    costs = leg_costs([ROW], BILLING)
    kept, escalated = costs.of(method("query-router"))
    assert (kept[0], escalated[0]) == (costs.cheap[0], costs.large[0])


@pytest.mark.parametrize(
    ("who", "samples"),
    [
        (method("length"), 0.0),
        (method("discrete-se", probes=3), 28.0),
        (method("streamroute-early", probes=2, taken=[2]), 22.0),
    ],
)
def test_all_others_pay_for_the_answer_that_they_throw_away_and_for_their_samples(who: Method, samples: float) -> None:
    costs = leg_costs([ROW], BILLING)
    kept, escalated = costs.of(who)
    assert kept[0] == pytest.approx(costs.cheap[0] + samples)
    assert escalated[0] == pytest.approx(kept[0] + costs.large[0])


def test_a_row_with_fewer_samples_pays_for_those_that_it_has() -> None:
    fewer = msgspec.structs.replace(
        ROW, cheap=msgspec.structs.replace(ROW.cheap, samples=["Perth."], sample_timings=[Timing(0.1, 1.0, 6)])
    )
    assert leg_costs([ROW, fewer], BILLING).samples[1].tolist() == pytest.approx([0, 16, 16, 16])


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 9)), min_size=1, max_size=7),
    st.sampled_from([0.5, 0.95, 1.0]),
)
def test_nobody_recovers_the_gap_for_less_than_who_knows_every_outcome(
    rows: list[tuple[bool, bool, int]], share: float
) -> None:
    cheap, large = (np.array([row[i] for row in rows], dtype=bool) for i in (0, 1))
    costs = LegCosts(np.ones(len(rows)), np.zeros((len(rows), 1)), np.array([float(row[2]) for row in rows]))
    gap = int(large.sum()) - int(cheap.sum())
    found = foresight(costs, cheap, large, share=share)
    if gap <= 0:
        assert found is None
        return
    paid = [
        costs.cheap.sum() + costs.large[chosen].sum()
        for chosen in (np.array(one) for one in itertools.product([False, True], repeat=len(rows)))
        if np.where(chosen, large, cheap).sum() >= cheap.sum() + share * gap - 1e-9
    ]
    assert found == pytest.approx(min(paid) / costs.large.sum())
