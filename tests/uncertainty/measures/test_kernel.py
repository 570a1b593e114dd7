import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.measures.kernel import entailment_weights, kernel_language_entropy
from tests.uncertainty.measures.matrices import Matrix, cliques, squares


def exponential(matrix: Matrix) -> Matrix:
    """By the series of the matrix over 2^10, squared ten times."""
    small, term, total = matrix / 1024, np.eye(len(matrix)), np.eye(len(matrix))
    for k in range(1, 12):
        term = term @ small / k
        total = total + term
    for _ in range(10):
        total = total @ total
    return total


def by_definition(weights: Matrix, time: float) -> float:
    n = len(weights)
    laplacian = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                edge = weights[i, j] + weights[j, i]
                laplacian[i, j] -= edge
                laplacian[i, i] += edge
    heat = exponential(-time * laplacian)
    kernel = np.array([[heat[i, j] / math.sqrt(heat[i, i] * heat[j, j]) / n for j in range(n)] for i in range(n)])
    # -tr(K log K) with the logarithm's series about the identity: log K = -sum (I - K)^k / k. It converges slowly near
    # eigenvalue zero, where x log x is negligible, so singular values stand in: of a positive matrix they are the same.
    values = np.linalg.svd(kernel, compute_uv=False)
    return -float(sum(v * math.log(v) for v in values if v > 1e-15)) / math.log(n)


@given(squares(least=2), st.floats(0.01, 2))
def test_kle_is_the_von_neumann_entropy_of_the_heat_kernel(weights: Matrix, time: float) -> None:
    assert kernel_language_entropy(weights, time=time) == pytest.approx(by_definition(weights, time), abs=1e-6)


@given(squares())
def test_kle_is_a_share_and_the_diagonal_plays_no_part(weights: Matrix) -> None:
    found = kernel_language_entropy(weights)
    assert 0 <= found <= 1
    assert kernel_language_entropy(weights + np.eye(len(weights))) == found


@given(squares(), st.data())
def test_the_order_of_texts_does_not_matter(weights: Matrix, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(weights))))
    shuffled = weights[np.ix_(order, order)]
    assert kernel_language_entropy(shuffled) == pytest.approx(kernel_language_entropy(weights), abs=1e-9)


def test_texts_without_relation_are_as_uncertain_as_can_be() -> None:
    assert kernel_language_entropy(np.zeros((5, 5))) == pytest.approx(1)


def test_with_much_time_kle_is_the_discrete_entropy_of_cliques() -> None:
    # Heat spreads evenly over each clique, so that the kernel's eigenvalues become the cliques' shares.
    expected = -(3 / 6 * math.log(3 / 6) + 2 / 6 * math.log(2 / 6) + 1 / 6 * math.log(1 / 6)) / math.log(6)
    assert kernel_language_entropy(cliques([0, 0, 0, 1, 1, 2]), time=100) == pytest.approx(expected)
    assert kernel_language_entropy(np.ones((4, 4)), time=100) == pytest.approx(0, abs=1e-9)


def test_two_texts_have_the_closed_form() -> None:
    # L = w [[1, -1], [-1, 1]]: the scaled kernel is [[1, tanh(t w)], [tanh(t w), 1]] / 2.
    weights = np.array([[1.0, 0.7], [0.4, 1.0]])
    shares = [(1 + math.tanh(0.3 * 1.1)) / 2, (1 - math.tanh(0.3 * 1.1)) / 2]
    assert kernel_language_entropy(weights) == pytest.approx(-sum(p * math.log(p) for p in shares) / math.log(2))


def test_weights_of_labels_are_one_a_half_and_zero() -> None:
    entails, neutral = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])
    assert entailment_weights(entails, neutral).tolist() == [[1.0, 0.5, 0.0]]


def test_fewer_than_two_texts_agree() -> None:
    assert kernel_language_entropy(np.zeros((0, 0))) == kernel_language_entropy(np.ones((1, 1))) == 0
