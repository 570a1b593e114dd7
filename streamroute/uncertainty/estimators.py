"""Entropies over meanings, and their relatives. Natural logarithms throughout; `counts` are cluster sizes."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = (
    "ALPHA_PRIOR",
    "discrete_entropy",
    "length_normalised_entropy",
    "normalised_discrete_entropy",
    "normalised_posterior_entropy",
    "normalised_snne",
    "posterior_entropy",
    "predictive_entropy",
    "rao_entropy",
    "snne",
    "snne_bounds",
)

ALPHA_PRIOR = ((0.1, 0.4), (0.5, 0.3), (2.0, 0.2), (8.0, 0.1))
"""(concentration, prior weight): a few meanings are likelier than many, until fitted on logs."""


def discrete_entropy(counts: Sequence[int]) -> float:
    """Entropy of the cluster shares, in nats (Farquhar et al. 2024, "discrete semantic entropy"). 0 for no texts."""
    total = sum(counts)
    return math.fsum(c / total * math.log(total / c) for c in counts if c)


def normalised_discrete_entropy(counts: Sequence[int]) -> float:
    """`discrete_entropy` over its maximum log n, in [0, 1]."""
    total = sum(counts)
    return discrete_entropy(counts) / math.log(total) if total > 1 else 0.0


def posterior_entropy(counts: Sequence[int], *, alpha: float | None = None) -> float:
    """Posterior mean, in nats, of the entropy over meanings under a Dirichlet process of concentration `alpha`.

    Unlike the plug-in entropy it is comparable across sample counts: a unanimous pair is less sure than a unanimous
    eight. Without `alpha`, the mean over `ALPHA_PRIOR` weighted by the Ewens probability of `counts` (Pitman's
    exchangeable partition function; digamma form after Archer, Park and Pillow 2014).
    """
    key = tuple(sorted((c for c in counts if c), reverse=True))
    return _mixed_entropy(key) if alpha is None else _entropy_given(key, alpha)


def _entropy_given(counts: tuple[int, ...], alpha: float) -> float:
    total = sum(counts)
    expected = math.fsum(c * _digamma(c + 1) for c in counts) + alpha * _digamma(1)
    return _digamma(alpha + total + 1) - expected / (alpha + total)


@functools.lru_cache(maxsize=4096)
def _mixed_entropy(counts: tuple[int, ...]) -> float:
    total, kinds = sum(counts), len(counts)
    weights = [
        math.log(prior) + kinds * math.log(alpha) + math.lgamma(alpha) - math.lgamma(alpha + total)
        for alpha, prior in ALPHA_PRIOR
    ]  # the factor prod gamma(c_j) is the same for every alpha
    top = max(weights)
    powers = [math.exp(weight - top) for weight in weights]
    entropies = [_entropy_given(counts, alpha) for alpha, _ in ALPHA_PRIOR]
    return math.fsum(p * h for p, h in zip(powers, entropies, strict=True)) / math.fsum(powers)


def normalised_posterior_entropy(counts: Sequence[int], *, most: int) -> float:
    """`posterior_entropy` over its value for `most` texts that all differ, in [0, 1]."""
    return min(1.0, posterior_entropy(counts) / posterior_entropy((1,) * most))


def _digamma(x: float) -> float:
    """Logarithmic derivative of gamma for x > 0: recurrence up to 8, then the asymptotic series (error < 1e-12)."""
    shift = 0.0
    while x < 8:
        shift -= 1 / x
        x += 1
    inverse = 1 / (x * x)
    series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132))))
    return shift + math.log(x) - 0.5 / x - series


def predictive_entropy(sequence_logprobs: Sequence[float]) -> float:
    """Monte Carlo entropy over texts, in nats: minus the mean log-probability of whole samples. 0 for no samples."""
    return -math.fsum(sequence_logprobs) / len(sequence_logprobs) if sequence_logprobs else 0.0


def length_normalised_entropy(mean_token_logprobs: Sequence[float]) -> float:
    """`predictive_entropy` per token (Malinin and Gales 2021): from each sample's mean token log-probability."""
    return predictive_entropy(mean_token_logprobs)


def rao_entropy(assignment: Sequence[int], mean_token_logprobs: Sequence[float]) -> float:
    """Semantic entropy with clusters weighted by the samples' probabilities, in nats (Farquhar et al. 2024):
    p(C) is proportional to the sum over C of exp(mean token log-probability)."""
    if not assignment:
        return 0.0
    top = max(mean_token_logprobs)
    mass: dict[int, float] = {}
    for cluster, logprob in zip(assignment, mean_token_logprobs, strict=True):
        mass[cluster] = mass.get(cluster, 0.0) + math.exp(logprob - top)
    total = math.fsum(mass.values())
    return math.fsum(m / total * math.log(total / m) for m in mass.values() if m)


def snne(similarity: npt.NDArray[np.float64], *, tau: float = 1.0) -> float:
    """Semantic nearest-neighbour entropy (Nguyen et al. 2025): minus the mean over texts of the log-sum-exp of its
    similarities, (n, n) with ones on the diagonal, to all texts, itself included."""
    scaled = similarity / tau
    top = scaled.max(axis=1)
    return -float(np.mean(top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))))


def snne_bounds(n: int, *, tau: float = 1.0) -> tuple[float, float]:
    """The values of `snne` when n texts are all alike, and when none resembles another."""
    return -(math.log(n) + 1 / tau), -math.log(math.exp(1 / tau) + n - 1)


def normalised_snne(similarity: npt.NDArray[np.float64], *, tau: float = 1.0) -> float:
    """`snne` between its bounds, in [0, 1]; 0 for fewer than two texts."""
    n = len(similarity)
    if n < 2:
        return 0.0
    low, high = snne_bounds(n, tau=tau)
    return min(1.0, max(0.0, (snne(similarity, tau=tau) - low) / (high - low)))
