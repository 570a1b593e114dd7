import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.measures.posterior import ALPHA_PRIOR, normalised_posterior_entropy, posterior_entropy

NODES, WEIGHTS = np.polynomial.legendre.leggauss(60)
COUNTS = st.lists(st.integers(1, 9), max_size=6)


@pytest.mark.parametrize(("k", "value"), [(2, 0.833), (3, 0.708), (5, 0.547), (8, 0.413)])
def test_posterior_mean_of_a_unanimous_vote_at_concentration_one(k: int, value: float) -> None:
    assert posterior_entropy((k,), alpha=1.0) == pytest.approx(value, abs=5e-4)


@pytest.mark.parametrize(("counts", "alpha"), [((5,), 1.0), ((3, 1, 1), 0.3), ((1, 1, 1), 3.0)])
def test_posterior_mean_agrees_with_simulation(counts: tuple[int, ...], alpha: float) -> None:
    # Stick-breaking below the Dirichlet posterior of the seen clusters.
    rng = np.random.default_rng(11)
    draws = 4000
    weights = rng.dirichlet([*counts, alpha], size=draws)
    sticks = rng.beta(1, alpha, size=(draws, 200))
    left = np.cumprod(np.hstack([np.ones((draws, 1)), 1 - sticks[:, :-1]]), axis=1)
    masses = np.hstack([weights[:, :-1], weights[:, -1:] * sticks * left])
    entropies = -(masses * np.log(np.maximum(masses, 1e-300))).sum(axis=1)
    error = entropies.std() / math.sqrt(draws)
    assert posterior_entropy(counts, alpha=alpha) == pytest.approx(entropies.mean(), abs=4 * error)


@given(COUNTS)
def test_the_mixture_lies_between_its_parts(counts: list[int]) -> None:
    parts = [posterior_entropy(counts, alpha=alpha) for alpha, _ in ALPHA_PRIOR]
    assert min(parts) - 1e-12 <= posterior_entropy(counts) <= max(parts) + 1e-12
    assert posterior_entropy(counts) == posterior_entropy(list(reversed(counts)))


def test_more_unanimous_texts_are_surer_and_all_different_ones_never_above_one() -> None:
    values = [posterior_entropy((k,)) for k in range(1, 12)]
    assert all(later < earlier for earlier, later in pairwise(values))
    assert normalised_posterior_entropy((1,) * 9, most=9) == 1


def test_before_any_text_the_entropy_is_a_harmonic_number() -> None:
    assert posterior_entropy([], alpha=1) == pytest.approx(1)
    assert posterior_entropy([], alpha=3) == pytest.approx(1 + 1 / 2 + 1 / 3)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.floats(0.05, 20))
def test_it_is_the_expected_entropy_by_the_polya_urn(counts: list[int], alpha: float) -> None:
    # The entropy is the mean surprise at the next text. Given that the next text is in a cluster of c, the cluster's
    # share is Beta(c + 1, alpha + n - c), and a new cluster's Beta(1, alpha + n).
    total = sum(counts)

    def mean_log(c: float, rest: float) -> float:
        """E[log x], x ~ Beta(c, rest): minus the integral over [0, 1] of (t^(c-1) - t^(c+rest-1)) / (1 - t), Gauss."""
        t = (NODES + 1) / 2
        return -float(((t ** (c - 1) - t ** (c + rest - 1)) / (1 - t) * WEIGHTS / 2).sum())

    parts = [(c / (alpha + total), mean_log(c + 1, alpha + total - c)) for c in counts]
    parts.append((alpha / (alpha + total), mean_log(1, alpha + total)))
    assert posterior_entropy(counts, alpha=alpha) == pytest.approx(-sum(p * log for p, log in parts), abs=1e-6)


@given(COUNTS)
def test_the_mixture_weighs_concentrations_by_how_likely_they_make_the_counts(counts: list[int]) -> None:
    # The chance of the texts in order, one by one: join a cluster of c with c / (alpha + n), open one with alpha.
    weights = []
    for alpha, prior in ALPHA_PRIOR:
        chance, seen = prior, 0
        for count in counts:
            for i in range(count):
                chance *= (i or alpha) / (alpha + seen)
                seen += 1
        weights.append(chance)
    expected = sum(w * posterior_entropy(counts, alpha=a) for w, (a, _) in zip(weights, ALPHA_PRIOR, strict=True))
    assert posterior_entropy(counts) == pytest.approx(expected / sum(weights), rel=1e-9)
