import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamroute.uncertainty.measures.entropies import discrete_entropy
from streamroute.uncertainty.measures.snne import normalised_snne, snne, snne_bounds, weighted_snne

Matrix = npt.NDArray[np.float64]


def with_itself(similarity: Matrix) -> Matrix:
    np.fill_diagonal(similarity, 1.0)
    return similarity


SIMILARITIES = st.integers(1, 7).flatmap(
    lambda n: arrays(np.float64, (n, n), elements=st.floats(0, 1)).map(with_itself)
)
TAUS = st.floats(0.1, 100)


@given(SIMILARITIES, TAUS)
def test_snne_is_what_its_definition_says(similarity: Matrix, tau: float) -> None:
    rows = [math.log(sum(math.exp(f / tau) for f in row)) for row in similarity.tolist()]
    assert snne(similarity, tau=tau) == pytest.approx(-sum(rows) / len(rows), abs=1e-9)


@given(SIMILARITIES, TAUS, st.data())
def test_weighted_snne_is_what_its_definition_says(similarity: Matrix, tau: float, data: st.DataObject) -> None:
    n = len(similarity)
    logprobs = data.draw(st.lists(st.floats(-20, 0), min_size=n, max_size=n))
    mean = sum(math.exp(logprob) for logprob in logprobs) / n
    expected = 0.0
    for logprob, row in zip(logprobs, similarity.tolist(), strict=True):
        expected -= math.exp(logprob) / mean * math.log(sum(math.exp(f / tau) for f in row)) / n
    assert weighted_snne(similarity, logprobs, tau=tau) == pytest.approx(expected, abs=1e-9)


@given(SIMILARITIES, st.floats(-1000, 0))
def test_equal_weights_weigh_nothing(similarity: Matrix, logprob: float) -> None:
    assert weighted_snne(similarity, [logprob] * len(similarity)) == pytest.approx(snne(similarity))


@given(SIMILARITIES, TAUS)
def test_snne_lies_between_its_bounds(similarity: Matrix, tau: float) -> None:
    low, high = snne_bounds(len(similarity), tau=tau)
    assert low - 1e-9 <= snne(similarity, tau=tau) <= high + 1e-9
    assert 0 <= normalised_snne(similarity, tau=tau) <= 1


@pytest.mark.parametrize("tau", [0.001, 0.1, 1.0, 10.0])
def test_snne_meets_its_bounds_where_all_are_alike_or_none(tau: float) -> None:
    low, high = snne_bounds(6, tau=tau)
    assert snne(np.ones((6, 6)), tau=tau) == pytest.approx(low)
    assert snne(np.eye(6), tau=tau) == pytest.approx(high)
    assert normalised_snne(np.ones((6, 6)), tau=tau) == pytest.approx(0, abs=1e-9)
    assert normalised_snne(np.eye(6), tau=tau) == pytest.approx(1)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=9))
def test_snne_with_a_hard_similarity_is_the_discrete_entropy(assignment: list[int]) -> None:
    labels = np.array(assignment)
    hard = np.where(labels[:, None] == labels, 0.0, -np.inf)
    counts = [assignment.count(cluster) for cluster in set(assignment)]
    assert snne(hard) + math.log(len(labels)) == pytest.approx(discrete_entropy(counts), abs=1e-12)


@given(st.integers(2, 6), st.data())
def test_snne_falls_when_any_similarity_rises(n: int, data: st.DataObject) -> None:
    similarity = np.eye(n)
    i, j = data.draw(st.integers(1, n - 1)), 0
    before = snne(similarity)
    similarity[i, j] = similarity[j, i] = data.draw(st.floats(0.01, 1))
    assert snne(similarity) < before


@given(SIMILARITIES, st.data())
def test_the_order_of_texts_does_not_matter(similarity: Matrix, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(similarity))))
    assert snne(similarity[np.ix_(order, order)]) == pytest.approx(snne(similarity))


def test_few_texts_have_defined_values() -> None:
    assert snne(np.eye(0)) == weighted_snne(np.eye(0), []) == 0.0
    assert snne(np.eye(1), tau=0.5) == -2.0
    assert normalised_snne(np.eye(0)) == normalised_snne(np.eye(1)) == 0.0
    with pytest.raises(ValueError, match="no texts"):
        snne_bounds(0)


def test_a_missing_weight_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 log-probabilities for 2 texts"):
        weighted_snne(np.eye(2), [-1.0])
