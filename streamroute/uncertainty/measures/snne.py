"""Semantic nearest-neighbour entropy (Nguyen, Payani and Mirzasoleiman 2025; METHOD 1.3). Higher is less certain.

Works on any (n, n) similarity: ROUGE-L between the bare answers as in the released script, or entailment. That script
prints the best of several temperatures, chosen on the test questions; here `tau` is given beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ("normalised_snne", "snne", "snne_bounds", "weighted_snne")


def snne(similarity: npt.NDArray[np.float64], *, tau: float = 1.0) -> float:
    """Minus the mean over texts of the log-sum-exp of their similarities over `tau` to all texts, themselves included.

    `similarity` is (n, n) with a finite diagonal, one for a share; -inf elsewhere makes texts that have nothing to do
    with each other. With 0 within a cluster and -inf across, `snne` + log n is the discrete semantic entropy. 0 for no
    texts.
    """
    return -float(np.mean(_neighbourhoods(similarity, tau))) if len(similarity) else 0.0


def weighted_snne(
    similarity: npt.NDArray[np.float64], mean_token_logprobs: Sequence[float], *, tau: float = 1.0
) -> float:
    """WSNNE: `snne` with each text weighted by its length-normalised probability over the mean of those.

    Raises ValueError unless there is one log-probability for each text.
    """
    if len(similarity) != len(mean_token_logprobs):
        raise ValueError(f"{len(mean_token_logprobs)} log-probabilities for {len(similarity)} texts")
    if not mean_token_logprobs:
        return 0.0
    weights = np.exp(np.asarray(mean_token_logprobs) - max(mean_token_logprobs))
    return -float(np.average(_neighbourhoods(similarity, tau), weights=weights))


def snne_bounds(n: int, *, tau: float = 1.0) -> tuple[float, float]:
    """The values of `snne` when n texts are all alike (similarity one), and when none resembles another (zero).

    They bound it for every similarity in [0, 1] with a diagonal of one. Raises ValueError for no texts.
    """
    if n < 1:
        raise ValueError("no texts have no bounds")
    return -(math.log(n) + 1 / tau), -(1 / tau + math.log1p((n - 1) * math.exp(-1 / tau)))


def normalised_snne(similarity: npt.NDArray[np.float64], *, tau: float = 1.0) -> float:
    """`snne` between its bounds, in [0, 1], of similarities in [0, 1]; 0 for fewer than two texts."""
    n = len(similarity)
    if n < 2:
        return 0.0
    low, high = snne_bounds(n, tau=tau)
    return min(1.0, max(0.0, (snne(similarity, tau=tau) - low) / (high - low)))


def _neighbourhoods(similarity: npt.NDArray[np.float64], tau: float) -> npt.NDArray[np.float64]:
    """The log-sum-exp of each row, (n,)."""
    scaled = similarity / tau
    top = scaled.max(axis=1)
    return np.asarray(top + np.log(np.exp(scaled - top[:, None]).sum(axis=1)), dtype=np.float64)
