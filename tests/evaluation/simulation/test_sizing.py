from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamroute.evaluation.simulation.sizing import least


@given(st.integers(1, 10_000), st.integers(1, 200))
def test_the_least_is_found_with_few_questions(true: int, start: int) -> None:
    asked: list[int] = []

    def enough(number: int) -> bool:
        asked.append(number)
        return number >= true

    assert least(enough, start) == max(true, start)
    assert min(asked) >= start
    assert len(asked) <= 2 * max(true - start, 1).bit_length() + 2
