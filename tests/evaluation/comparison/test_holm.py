import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.evaluation.comparison.holm import holm, two_sided


def test_adjusted_values_are_those_of_holms_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=12))
def test_adjusting_keeps_the_order_and_never_lowers(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(after >= before or after == 1.0 for before, after in zip(values, adjusted, strict=True))
    by_value = sorted(zip(values, adjusted, strict=True))
    assert [after for _, after in by_value] == sorted(adjusted)


def test_a_difference_that_is_never_on_the_other_side_is_as_rare_as_the_draws_can_say() -> None:
    assert two_sided(np.full(999, 0.1)) == pytest.approx(0.002)
    assert two_sided(np.array([-1.0, 1.0] * 50)) == 1.0
    assert two_sided(np.array([np.nan])) is None
