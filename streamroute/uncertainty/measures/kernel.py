"""Kernel language entropy (Nikitin et al. 2024; METHOD 1.5): the von Neumann entropy of a kernel over answers."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ("entailment_weights", "kernel_language_entropy")

Matrix = npt.NDArray[np.float64]

TIME = 0.3
"""Of the heat kernel, as released."""


def entailment_weights(entailment: Matrix, neutral: Matrix) -> Matrix:
    """Directed weights, (n, n): entailment plus half of neutral. The paper gives the most likely label 1, 1/2 or 0,
    which is this of one-hot matrices; of probabilities it is lm-polygraph's continuous form."""
    return np.asarray(entailment + neutral / 2, dtype=np.float64)


def kernel_language_entropy(weights: Matrix, *, time: float = TIME) -> float:
    """KLE with the heat kernel, over its maximum log n, in [0, 1]; higher is less certain. 0 for fewer than two texts.

    `weights` is (n, n), directed, not negative; an edge weighs the sum of both directions and the diagonal plays no
    part. K = exp(-time L) of the Laplacian L = D - W, scaled to a diagonal of 1 / n; then minus the sum of
    lambda log lambda over its eigenvalues (section 3).
    """
    n = len(weights)
    if n < 2:
        return 0.0
    edges = weights + weights.T
    np.fill_diagonal(edges, 0.0)
    # L is symmetric, so that its eigenvectors give the matrix exponential.
    values, vectors = np.linalg.eigh(np.diag(edges.sum(axis=1)) - edges)
    heat = (vectors * np.exp(-time * values)) @ vectors.T
    scale = 1 / np.sqrt(np.diag(heat))
    shares = np.linalg.eigvalsh(heat * np.outer(scale, scale) / n)
    shares = shares[shares > 0]  # an eigenvalue of zero adds nothing; rounding may put it just below
    return min(1.0, max(0.0, -float((shares * np.log(shares)).sum()) / math.log(n)))
