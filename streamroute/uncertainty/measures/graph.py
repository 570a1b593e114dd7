"""Measures on the graph of answers (Lin, Trivedi and Sun 2024, "Generating with Confidence"; METHOD 1.4).

An affinity is (n, n), in [0, 1], symmetric, with ones on the diagonal. Higher is less certain, but for `confidences`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = (
    "agreement",
    "confidences",
    "degree_uncertainty",
    "eccentricity",
    "mean_disagreement",
    "non_contradiction",
    "sum_of_eigenvalues",
    "tempered",
)

Matrix = npt.NDArray[np.float64]

TEMPERATURE = 3.0
EIGENVALUE_CUT = 0.9
"""Both are the defaults of the released code."""


def tempered(
    entailment: Matrix, neutral: Matrix, contradiction: Matrix, *, temperature: float = TEMPERATURE
) -> tuple[Matrix, Matrix, Matrix]:
    """The three probabilities that the same logits give at softmax `temperature`, from those at temperature one.

    Any one shape. No logits are needed: a logit over T is, up to a constant, the logarithm of a probability over T.
    """
    powers = np.stack([entailment, neutral, contradiction]) ** (1 / temperature)
    shares = powers / powers.sum(axis=0)
    return shares[0], shares[1], shares[2]


def agreement(entailment: Matrix) -> Matrix:
    """The affinity "entail" of directed entailment probabilities, (n, n): the mean of both directions."""
    return _affinity(entailment)


def non_contradiction(contradiction: Matrix) -> Matrix:
    """The affinity "contradict" of directed contradiction probabilities, (n, n): one minus the mean of both."""
    return _affinity(1 - contradiction)


def _affinity(directed: Matrix) -> Matrix:
    affinity = (directed + directed.T) / 2
    np.fill_diagonal(affinity, 1.0)
    return affinity


def sum_of_eigenvalues(affinity: Matrix) -> float:
    """EigV, "U_EigV" (section 4.2): sum of max(0, 1 - eigenvalue) of the normalised Laplacian. A continuous number of
    meanings: k for k cliques that do not touch. 0 for no texts."""
    values, _ = np.linalg.eigh(_normalised_laplacian(affinity))
    return float(np.maximum(0.0, 1 - values).sum())


def degree_uncertainty(affinity: Matrix) -> float:
    """Deg, "U_Deg" (section 4.2): trace(n I - D) / n^2, one minus the mean affinity, itself included. 0 for no texts.

    The released code sums what this averages and leaves the affinity directed; for one n the ranking is the same.
    """
    return 1 - float(affinity.mean()) if len(affinity) else 0.0


def mean_disagreement(affinity: Matrix) -> float:
    """One minus the mean affinity of two different texts, in [0, 1]: what a semantic agreement cascade defers by
    (Soiffer, Kolawole and Smith 2025, arXiv:2509.21837; there of the answers of several models). 0 for fewer than two.

    This is Deg without the texts' likeness to themselves: on as many texts, and the same affinity, it ranks alike.
    """
    n = len(affinity)
    return degree_uncertainty(affinity) * n / (n - 1) if n > 1 else 0.0


def confidences(affinity: Matrix) -> Matrix:
    """C_Deg (section 4.2): each answer's degree over n, (n,), in [1/n, 1]. Higher is more certain."""
    return np.asarray(affinity.mean(axis=1), dtype=np.float64) if len(affinity) else np.zeros(0)


def eccentricity(affinity: Matrix, *, cut: float = EIGENVALUE_CUT) -> float:
    """Ecc, "U_Ecc" (section 4.2): how far the answers lie from their centre (Frobenius norm), each placed by its
    components in the eigenvectors of the normalised Laplacian with eigenvalues below `cut`. 0 for no texts."""
    values, vectors = np.linalg.eigh(_normalised_laplacian(affinity))
    places = vectors[:, values < cut]
    return float(np.linalg.norm(places - places.mean(axis=0))) if len(places) else 0.0


def _normalised_laplacian(affinity: Matrix) -> Matrix:
    """I - D^-1/2 W D^-1/2. Degrees are at least one, for everything resembles itself."""
    scale = 1 / np.sqrt(affinity.sum(axis=1))
    return np.asarray(np.eye(len(affinity)) - affinity * np.outer(scale, scale), dtype=np.float64)
