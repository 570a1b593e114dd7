"""Random relations between texts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

Matrix = npt.NDArray[np.float64]


def with_itself(directed: Matrix) -> Matrix:
    """Symmetric, one on the diagonal."""
    affinity = (directed + directed.T) / 2
    np.fill_diagonal(affinity, 1.0)
    return affinity


def squares(least: int = 1, most: int = 6) -> st.SearchStrategy[Matrix]:
    """Matrices of shares in [0, 1], directed."""
    return st.integers(least, most).flatmap(lambda n: arrays(np.float64, (n, n), elements=st.floats(0, 1)))


def affinities(least: int = 1, most: int = 6) -> st.SearchStrategy[Matrix]:
    return squares(least, most).map(with_itself)


def relations(n: int) -> st.SearchStrategy[tuple[Matrix, Matrix, Matrix]]:
    """Entailment, neutral and contradiction probabilities of n texts."""
    positive = arrays(np.float64, (3, n, n), elements=st.floats(0.01, 1))
    return positive.map(lambda p: tuple(p / p.sum(axis=0)))


def cliques(assignment: list[int]) -> Matrix:
    """One within a cluster, zero across."""
    labels = np.array(assignment)
    return np.asarray(labels[:, None] == labels, dtype=np.float64)
