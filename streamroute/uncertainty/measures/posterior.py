"""The entropy over meanings that so few texts still allow: its posterior mean, in nats. `counts` are cluster sizes."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

__all__ = ("ALPHA_PRIOR", "chance_of_new", "normalised_posterior_entropy", "posterior_entropy")

ALPHA_PRIOR = ((0.1, 0.4), (0.5, 0.3), (2.0, 0.2), (8.0, 0.1))
"""(concentration, prior weight): a few meanings are likelier than many, until fitted on logs."""


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
    entropies = [_entropy_given(counts, alpha) for alpha, _ in ALPHA_PRIOR]
    return math.fsum(p * h for p, h in zip(_posterior(sum(counts), len(counts)), entropies, strict=True))


def chance_of_new(texts: int, clusters: int) -> float:
    """The probability that the next text opens a new cluster, after `texts` in `clusters`: that of alpha / (alpha + n),
    mixed as above. It joins one of c texts with c / n of what is left over (Blackwell and MacQueen 1973)."""
    shares = (alpha / (alpha + texts) for alpha, _ in ALPHA_PRIOR)
    return math.fsum(p * share for p, share in zip(_posterior(texts, clusters), shares, strict=True))


@functools.lru_cache(maxsize=4096)
def _posterior(texts: int, clusters: int) -> tuple[float, ...]:
    """The weight of each concentration of `ALPHA_PRIOR` given clustered texts. How they are spread does not matter: the
    factor prod gamma(c_j) is the same for every concentration."""
    weights = [
        math.log(prior) + clusters * math.log(alpha) + math.lgamma(alpha) - math.lgamma(alpha + texts)
        for alpha, prior in ALPHA_PRIOR
    ]
    top = max(weights)
    powers = [math.exp(weight - top) for weight in weights]
    total = math.fsum(powers)
    return tuple(power / total for power in powers)


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
