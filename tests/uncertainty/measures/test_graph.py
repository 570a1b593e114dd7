import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamroute.uncertainty.measures.graph import (
    agreement,
    confidences,
    degree_uncertainty,
    eccentricity,
    mean_disagreement,
    non_contradiction,
    sum_of_eigenvalues,
    tempered,
)
from tests.uncertainty.measures.matrices import Matrix, affinities, cliques, squares

ASSIGNMENTS = st.lists(st.integers(0, 3), min_size=1, max_size=7)


def laplacian(affinity: Matrix) -> Matrix:
    n = len(affinity)
    degrees = [sum(row) for row in affinity.tolist()]
    entries = [[(i == j) - affinity[i, j] / math.sqrt(degrees[i] * degrees[j]) for j in range(n)] for i in range(n)]
    return np.array(entries)


def rotated(symmetric: Matrix) -> tuple[Matrix, Matrix]:
    """Eigenvalues and eigenvectors by Jacobi's rotations, the textbook's."""
    a, vectors = symmetric.copy(), np.eye(len(symmetric))
    for _ in range(12):
        for p in range(len(a)):
            for q in range(p):
                angle = math.atan2(2 * a[p, q], a[q, q] - a[p, p]) / 2
                turn = np.eye(len(a))
                turn[p, p] = turn[q, q] = math.cos(angle)
                turn[p, q], turn[q, p] = math.sin(angle), -math.sin(angle)
                a, vectors = turn.T @ a @ turn, vectors @ turn
    return np.diag(a), vectors


@given(affinities())
def test_eigv_sums_what_the_laplacians_eigenvalues_lack_of_one(affinity: Matrix) -> None:
    values, _ = rotated(laplacian(affinity))
    assert sum_of_eigenvalues(affinity) == pytest.approx(sum(max(0, 1 - v) for v in values), abs=1e-6)


@given(affinities())
def test_deg_is_the_trace_of_what_degrees_lack(affinity: Matrix) -> None:
    n = len(affinity)
    expected = sum(n - sum(row) for row in affinity.tolist()) / n**2
    assert degree_uncertainty(affinity) == pytest.approx(expected, abs=1e-12)
    assert 0 <= degree_uncertainty(affinity) <= 1 - 1 / n + 1e-12


@given(affinities())
def test_disagreement_is_what_pairs_of_different_texts_lack_of_one(affinity: Matrix) -> None:
    pairs = [1 - affinity[i, j] for i in range(len(affinity)) for j in range(i)]
    assert mean_disagreement(affinity) == pytest.approx(sum(pairs) / len(pairs) if pairs else 0, abs=1e-12)


@given(affinities())
def test_ecc_is_the_distance_from_the_centre_in_the_small_eigenvectors(affinity: Matrix) -> None:
    values, vectors = rotated(laplacian(affinity))
    assume(all(abs(v - 0.9) > 1e-6 for v in values))
    n = len(affinity)
    squares_ = 0.0
    for value, vector in zip(values, vectors.T, strict=True):
        if value < 0.9:
            squares_ += sum((x - sum(vector) / n) ** 2 for x in vector)
    assert eccentricity(affinity) == pytest.approx(math.sqrt(squares_), abs=1e-6)


@given(affinities())
def test_confidences_are_the_answers_shares_of_their_greatest_degree(affinity: Matrix) -> None:
    n = len(affinity)
    assert confidences(affinity) == pytest.approx([sum(row) / n for row in affinity.tolist()])
    assert degree_uncertainty(affinity) == pytest.approx(1 - confidences(affinity).mean(), abs=1e-12)


@given(ASSIGNMENTS)
def test_for_cliques_eigv_counts_and_ecc_is_the_root_of_all_but_one(assignment: list[int]) -> None:
    affinity = cliques(assignment)
    kinds = len(set(assignment))
    assert sum_of_eigenvalues(affinity) == pytest.approx(kinds)
    # The eigenvectors of eigenvalue zero are the cliques, and the centre takes one dimension away.
    assert eccentricity(affinity) == pytest.approx(math.sqrt(kinds - 1), abs=1e-6)


@given(affinities(), st.data())
def test_the_order_of_texts_does_not_matter(affinity: Matrix, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(affinity))))
    shuffled = affinity[np.ix_(order, order)]
    assume(all(abs(v - 0.9) > 1e-6 for v in np.linalg.eigvalsh(laplacian(affinity))))
    for measure in (sum_of_eigenvalues, degree_uncertainty, eccentricity):
        assert measure(shuffled) == pytest.approx(measure(affinity), abs=1e-6)


@given(squares())
def test_affinities_are_the_mean_of_both_directions_and_everything_is_like_itself(directed: Matrix) -> None:
    like, unopposed = agreement(directed), non_contradiction(directed)
    for i in range(len(directed)):
        for j in range(len(directed)):
            mean = (directed[i, j] + directed[j, i]) / 2
            assert like[i, j] == pytest.approx(1 if i == j else mean)
            assert unopposed[i, j] == pytest.approx(1 if i == j else 1 - mean)


@given(st.tuples(*[st.floats(-8, 8)] * 3), st.floats(0.5, 5))
def test_tempering_is_the_softmax_of_the_divided_logits(logits: tuple[float, float, float], temperature: float) -> None:
    def softmax(values: list[float]) -> list[npt.NDArray[np.float64]]:
        powers = [math.exp(value) for value in values]
        return [np.array([power / sum(powers)]) for power in powers]

    e, u, d = softmax(list(logits))
    expected = softmax([logit / temperature for logit in logits])
    for found, value in zip(tempered(e, u, d, temperature=temperature), expected, strict=True):
        assert found == pytest.approx(value)


def test_tempering_by_three_flattens() -> None:
    sure = np.array([0.9]), np.array([0.08]), np.array([0.02])
    assert tempered(*sure)[0] < sure[0]
    assert tempered(*sure, temperature=1)[0] == pytest.approx(sure[0])
    impossible = tempered(np.array([1.0]), np.array([0.0]), np.array([0.0]))
    assert [float(p[0]) for p in impossible] == [1, 0, 0]


def test_few_texts_have_defined_values() -> None:
    for affinity in (np.eye(0), np.eye(1)):
        assert degree_uncertainty(affinity) == eccentricity(affinity) == mean_disagreement(affinity) == 0
        assert sum_of_eigenvalues(affinity) == len(affinity)
        assert confidences(affinity).tolist() == [1.0] * len(affinity)
