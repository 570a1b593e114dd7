import numpy as np
import pytest

from streamroute.evaluation.comparison.money import leg_costs
from streamroute.evaluation.paradigms import When
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


def test_each_leg_costs_its_prompt_and_its_tokens() -> None:
    costs = leg_costs([ROW], BILLING, together=False)
    assert costs.cheap[0] == pytest.approx(20 * 0.5 + 10)
    assert costs.samples[0] == pytest.approx(3 * (20 * 0.5 + 6))
    assert costs.large[0] == pytest.approx(10 * (40 * 0.5 + 10))


def test_samples_may_share_one_prompt() -> None:
    assert leg_costs([ROW], BILLING, together=True).samples[0] == pytest.approx(20 * 0.5 + 3 * 6)


def test_who_decides_before_an_answer_pays_for_one_of_the_two() -> None:
    costs = leg_costs([ROW], BILLING)
    kept, escalated = costs.of(When.BEFORE, probes=False)
    assert (kept[0], escalated[0]) == (costs.cheap[0], costs.large[0])


@pytest.mark.parametrize("when", [When.AFTER_ANSWER, When.AFTER_SAMPLES, When.STREAMING])
def test_all_others_pay_for_the_answer_that_they_throw_away(when: When) -> None:
    costs = leg_costs([ROW], BILLING)
    for probes, paid in ((False, costs.cheap), (True, costs.cheap + costs.samples)):
        kept, escalated = costs.of(when, probes=probes)
        np.testing.assert_allclose(kept, paid)
        np.testing.assert_allclose(escalated, paid + costs.large)
