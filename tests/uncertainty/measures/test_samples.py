import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamroute.uncertainty.measures.samples import SampleSet

THIRD = np.full((2, 2), 1 / 3)
TWO = SampleSet(texts=["a", "b"], assignment=[0, 1], entailment=THIRD, neutral=THIRD, contradiction=THIRD)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "field", ["mean_token_logprobs", "sequence_logprobs", "answer_token_logprobs", "first_token_top_logprobs"]
)
def test_a_log_probability_that_is_not_finite_is_an_error_that_names_its_place(field: str, bad: float) -> None:
    changes: dict[str, Any] = {field: [-1.0, bad]}
    with pytest.raises(ValueError, match=rf"{field}\[1\] is {bad}"):
        replace(TWO, **changes)


def test_a_probability_is_no_log_probability() -> None:
    with pytest.raises(ValueError, match=r"sequence_logprobs\[0\] is 0.9, which is above zero"):
        replace(TWO, sequence_logprobs=[0.9, 0.8])
    with pytest.raises(ValueError, match="p_true_logprob"):
        replace(TWO, p_true_logprob=math.nan)


@pytest.mark.parametrize("field", ["assignment", "mean_token_logprobs", "sequence_logprobs"])
def test_every_text_needs_its_entry(field: str) -> None:
    changes: dict[str, Any] = {field: [0]}
    with pytest.raises(ValueError, match=f"{field} has 1 entries for 2 texts"):
        replace(TWO, **changes)


@pytest.mark.parametrize("field", ["answer_token_logprobs", "first_token_top_logprobs"])
def test_nothing_known_is_none_and_not_empty(field: str) -> None:
    changes: dict[str, Any] = {field: []}
    with pytest.raises(ValueError, match=f"{field} is empty"):
        replace(TWO, **changes)


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1])
@pytest.mark.parametrize("field", ["entailment", "neutral", "contradiction"])
def test_relations_are_probabilities(field: str, bad: float) -> None:
    matrix = THIRD.copy()
    matrix[0, 1] = bad
    changes: dict[str, Any] = {field: matrix}
    with pytest.raises(ValueError, match=field):
        replace(TWO, **changes)


def test_relations_sum_to_one_and_come_together_and_fit_the_texts() -> None:
    with pytest.raises(ValueError, match="do not sum to 1"):
        replace(TWO, neutral=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="neutral is missing"):
        replace(TWO, neutral=None)
    with pytest.raises(ValueError, match=r"contradiction has shape \(3, 3\) for 2 texts"):
        replace(TWO, contradiction=np.eye(3))


def test_the_diagonal_is_never_read() -> None:
    blank = THIRD.copy()
    np.fill_diagonal(blank, math.nan)
    assert replace(TWO, entailment=blank).relations is not None
    assert replace(TWO, entailment=None, neutral=None, contradiction=None).relations is None
