import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.estimators import (
    ALPHA_PRIOR,
    discrete_entropy,
    length_normalised_entropy,
    normalised_discrete_entropy,
    normalised_posterior_entropy,
    normalised_snne,
    posterior_entropy,
    predictive_entropy,
    rao_entropy,
    snne,
    snne_bounds,
)

COUNTS = st.lists(st.integers(1, 9), max_size=6)


def partitions(n: int, most: int | None = None) -> list[tuple[int, ...]]:
    if n == 0:
        return [()]
    return [(k, *rest) for k in range(min(n, most or n), 0, -1) for rest in partitions(n - k, k)]


def test_discrete_entropy_of_six_texts_takes_the_published_values() -> None:
    found = sorted({round(discrete_entropy(counts), 9) for counts in partitions(6)})
    published = [0, 0.451, 0.637, 0.693, 0.868, 1.011, 1.099, 1.243, 1.330, 1.561, 1.792]
    assert found == pytest.approx(published, abs=6e-4)


@given(COUNTS)
def test_discrete_entropy_is_what_its_definition_says(counts: list[int]) -> None:
    shares = np.array(counts, float) / max(1, sum(counts))
    assert discrete_entropy(counts) == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-12)
    assert 0 <= normalised_discrete_entropy(counts) <= 1 + 1e-12


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


def test_predictive_entropies_are_minus_the_mean() -> None:
    assert predictive_entropy([-2.0, -4.0]) == 3.0
    assert length_normalised_entropy([-0.5, -1.5]) == 1.0
    assert predictive_entropy([]) == 0.0


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.floats(-50, 0))
def test_rao_entropy_with_equal_probabilities_is_the_discrete_one(assignment: list[int], logprob: float) -> None:
    counts = [assignment.count(c) for c in set(assignment)]
    assert rao_entropy(assignment, [logprob] * len(assignment)) == pytest.approx(discrete_entropy(counts), abs=1e-9)


def test_rao_entropy_weighs_clusters_by_probability() -> None:
    # Shares 3/4 and 1/4.
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert rao_entropy([0, 1], [math.log(0.3), math.log(0.1)]) == pytest.approx(expected)
    assert rao_entropy([], []) == 0.0


@pytest.mark.parametrize("tau", [0.1, 1.0, 10.0])
def test_snne_meets_its_bounds_where_all_are_alike_or_none(tau: float) -> None:
    low, high = snne_bounds(6, tau=tau)
    assert snne(np.ones((6, 6)), tau=tau) == pytest.approx(low)
    assert snne(np.eye(6), tau=tau) == pytest.approx(high)
    assert normalised_snne(np.ones((6, 6)), tau=tau) == pytest.approx(0, abs=1e-12)
    assert normalised_snne(np.eye(6), tau=tau) == pytest.approx(1)


def test_snne_with_a_hard_similarity_is_the_discrete_entropy() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    hard = np.where(labels[:, None] == labels, 0.0, -1e9)
    assert snne(hard) + math.log(6) == pytest.approx(discrete_entropy((3, 2, 1)))


@given(st.integers(2, 6), st.data())
def test_snne_falls_when_any_similarity_rises(n: int, data: st.DataObject) -> None:
    similarity = np.eye(n)
    i, j = data.draw(st.integers(1, n - 1)), 0
    before = snne(similarity)
    similarity[i, j] = similarity[j, i] = data.draw(st.floats(0.01, 1))
    assert snne(similarity) < before


def test_one_text_has_no_neighbours() -> None:
    assert normalised_snne(np.eye(1)) == 0.0
