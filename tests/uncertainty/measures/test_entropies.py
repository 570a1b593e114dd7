import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.measures.entropies import (
    discrete_entropy,
    kuhn_entropy,
    length_normalised_entropy,
    log_sum_exp,
    normalised_discrete_entropy,
    polygraph_entropy,
    predictive_entropy,
    rao_entropy,
)
from tests.uncertainty.partitions import partitions

COUNTS = st.lists(st.integers(1, 9), max_size=6)
WEIGHED = st.lists(st.tuples(st.integers(0, 3), st.floats(-30, 0)), min_size=1, max_size=8)
"""(cluster, log-probability) of each text."""

Weighed = list[tuple[int, float]]


def masses(weighed: Weighed) -> dict[int, float]:
    found: dict[int, float] = {}
    for cluster, logprob in weighed:
        found[cluster] = found.get(cluster, 0.0) + math.exp(logprob)
    return found


def columns(weighed: Weighed) -> tuple[list[int], list[float]]:
    return [cluster for cluster, _ in weighed], [logprob for _, logprob in weighed]


def test_discrete_entropy_of_six_texts_takes_the_published_values() -> None:
    found = sorted({round(discrete_entropy(counts), 9) for counts in partitions(6)})
    published = [0, 0.451, 0.637, 0.693, 0.868, 1.011, 1.099, 1.243, 1.330, 1.561, 1.792]
    assert found == pytest.approx(published, abs=6e-4)


@given(COUNTS)
def test_discrete_entropy_is_what_its_definition_says(counts: list[int]) -> None:
    shares = np.array(counts, float) / max(1, sum(counts))
    entropy = -(shares * np.log(shares)).sum()
    assert discrete_entropy(counts) == pytest.approx(entropy, abs=1e-12)
    n = sum(counts)
    assert normalised_discrete_entropy(counts) == pytest.approx(entropy / math.log(n) if n > 1 else 0, abs=1e-12)
    assert 0 <= normalised_discrete_entropy(counts) <= 1 + 1e-12


def test_empty_clusters_do_not_count() -> None:
    assert discrete_entropy([2, 0, 1]) == discrete_entropy([2, 1])


@given(WEIGHED)
def test_rao_entropy_is_that_of_the_clusters_shares_of_probability(weighed: Weighed) -> None:
    total = sum(masses(weighed).values())
    expected = -sum(m / total * math.log(m / total) for m in masses(weighed).values())
    assert rao_entropy(*columns(weighed)) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.floats(-50, 0))
def test_rao_entropy_with_equal_probabilities_is_the_discrete_one(assignment: list[int], logprob: float) -> None:
    counts = [assignment.count(c) for c in set(assignment)]
    assert rao_entropy(assignment, [logprob] * len(assignment)) == pytest.approx(discrete_entropy(counts), abs=1e-9)


@given(WEIGHED)
def test_kuhn_entropy_is_the_plain_mean_over_clusters_shifted_by_five(weighed: Weighed) -> None:
    logs = [math.log(mass) - 5.0 for mass in masses(weighed).values()]
    assert kuhn_entropy(*columns(weighed)) == pytest.approx(-sum(logs) / len(logs), abs=1e-9)


@given(WEIGHED)
def test_polygraph_entropy_is_the_mean_over_texts_of_their_clusters_surprise(weighed: Weighed) -> None:
    expected = -sum(math.log(masses(weighed)[cluster]) for cluster, _ in weighed) / len(weighed)
    assert polygraph_entropy(*columns(weighed)) == pytest.approx(expected, abs=1e-9)


def test_the_three_semantic_entropies_are_three_measures() -> None:
    # Shares 3/4 and 1/4; masses 0.3 and 0.1.
    assignment, logprobs = [0, 1], [math.log(0.3), math.log(0.1)]
    assert rao_entropy(assignment, logprobs) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert kuhn_entropy(assignment, logprobs) == pytest.approx(5 - math.log(0.03) / 2)
    assert polygraph_entropy(assignment, logprobs) == pytest.approx(-math.log(0.03) / 2)


@given(WEIGHED)
def test_no_entropy_depends_on_the_order_of_texts_or_the_names_of_clusters(weighed: Weighed) -> None:
    renamed = [(7 - cluster, logprob) for cluster, logprob in reversed(weighed)]
    for entropy in (rao_entropy, kuhn_entropy, polygraph_entropy):
        assert entropy(*columns(renamed)) == pytest.approx(entropy(*columns(weighed)), abs=1e-9)


@pytest.mark.parametrize("entropy", [rao_entropy, kuhn_entropy, polygraph_entropy])
def test_texts_without_a_log_probability_are_an_error(entropy: Callable[[list[int], list[float]], float]) -> None:
    with pytest.raises(ValueError, match="shorter"):
        entropy([0, 1], [-1.0])


@given(st.lists(st.floats(-800, 0), min_size=1, max_size=8))
def test_predictive_entropies_are_minus_the_mean(logprobs: list[float]) -> None:
    assert predictive_entropy(logprobs) == pytest.approx(-sum(logprobs) / len(logprobs))
    assert length_normalised_entropy(logprobs) == predictive_entropy(logprobs)


def test_no_texts_have_no_entropy() -> None:
    assert discrete_entropy([]) == normalised_discrete_entropy([]) == predictive_entropy([]) == 0
    assert rao_entropy([], []) == kuhn_entropy([], []) == polygraph_entropy([], []) == 0


def test_improbable_sequences_do_not_underflow() -> None:
    # exp(-2000) is zero in double precision.
    assert polygraph_entropy([0, 0, 1], [-2000.0, -2000.0, -2001.0]) == pytest.approx(
        (2 * (2000 - math.log(2)) + 2001) / 3
    )
    assert rao_entropy([0, 1], [-2000.0, -2000.0]) == pytest.approx(math.log(2))
    assert log_sum_exp([]) == -math.inf
