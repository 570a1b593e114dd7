import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.measures.selfcheck import contradiction_share, sentence_scores


@given(st.tuples(*[st.floats(-8, 8)] * 3))
def test_the_share_is_the_softmax_over_two_of_the_three_logits(logits: tuple[float, float, float]) -> None:
    entails, _, contradicts = (math.exp(logit) for logit in logits)
    total = sum(math.exp(logit) for logit in logits)
    found = contradiction_share(np.array([entails / total]), np.array([contradicts / total]))
    assert found[0] == pytest.approx(contradicts / (entails + contradicts))


def test_a_neutral_pair_says_nothing_either_way() -> None:
    assert contradiction_share(np.zeros(1), np.zeros(1)).tolist() == [0.5]


def test_a_sentence_is_scored_by_its_mean_over_samples() -> None:
    entailment = np.array([[0.8, 0.3, 0.0], [0.1, 0.1, 0.1]])
    contradiction = np.array([[0.2, 0.6, 0.5], [0.3, 0.3, 0.3]])
    assert sentence_scores(entailment, contradiction) == pytest.approx([(0.2 + 2 / 3 + 1) / 3, 0.75])


def test_the_premise_is_the_callers_choice() -> None:
    # One sentence, one sample: the sample contradicts what the sentence does not contradict.
    sample_premise = sentence_scores(np.array([[0.1]]), np.array([[0.9]]))
    sentence_premise = sentence_scores(np.array([[0.5]]), np.array([[0.5]]))
    assert sample_premise > sentence_premise


def test_no_samples_are_an_error() -> None:
    with pytest.raises(ValueError, match="no samples"):
        sentence_scores(np.zeros((2, 0)), np.zeros((2, 0)))
