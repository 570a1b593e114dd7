import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.measures.confidence import (
    bsdetector,
    cocoa,
    first_token_entropy,
    least_token_surprise,
    mean_token_surprise,
    p_true_uncertainty,
    semantic_density,
)

LOGPROBS = st.lists(st.floats(-20, 0), min_size=1, max_size=8)
SHARES = st.floats(0, 1)


@given(LOGPROBS)
def test_surprise_is_that_of_the_mean_or_the_least_token(logprobs: list[float]) -> None:
    assert mean_token_surprise(logprobs) == pytest.approx(-sum(logprobs) / len(logprobs))
    assert least_token_surprise(logprobs) == max(-logprob for logprob in logprobs)


def test_no_tokens_surprise_nobody() -> None:
    assert mean_token_surprise([]) == least_token_surprise([]) == 0


@given(st.lists(st.floats(-20, 0), min_size=2, max_size=8))
def test_first_token_entropy_is_that_of_the_renormalised_top(top: list[float]) -> None:
    total = sum(math.exp(logprob) for logprob in top)
    shares = [math.exp(logprob) / total for logprob in top]
    expected = -sum(p * math.log(p) for p in shares) / math.log(len(top))
    assert first_token_entropy(top) == pytest.approx(expected, abs=1e-9)


def test_first_token_entropy_is_one_where_all_are_as_likely_and_zero_for_one() -> None:
    assert first_token_entropy([-3.0] * 5) == pytest.approx(1)
    assert first_token_entropy([-3.0]) == 0
    with pytest.raises(ValueError, match="top_logprobs"):
        first_token_entropy([])


@given(st.floats(0.001, 1))
def test_p_true_is_the_probability_of_the_other_answer(probability: float) -> None:
    assert p_true_uncertainty(math.log(probability)) == pytest.approx(1 - probability, abs=1e-12)


@given(st.floats(0, 50), st.lists(SHARES, min_size=1, max_size=6))
def test_cocoa_is_surprise_times_mean_dissimilarity(surprise: float, similarities: list[float]) -> None:
    expected = surprise * sum(1 - s for s in similarities) / len(similarities)
    assert cocoa(surprise, similarities) == pytest.approx(expected, abs=1e-9)


def test_an_answer_without_samples_has_neither_cocoa_nor_density() -> None:
    with pytest.raises(ValueError, match="no samples"):
        cocoa(1.0, [])
    with pytest.raises(ValueError, match="no samples"):
        semantic_density([], [], [])


@given(st.lists(st.tuples(st.floats(-20, 0), SHARES, SHARES), min_size=1, max_size=6))
def test_semantic_density_weighs_kernels_by_probability(samples: list[tuple[float, float, float]]) -> None:
    # Shares of neutral and contradiction that leave room for entailment.
    logprobs = [logprob for logprob, _, _ in samples]
    neutral = [share for _, share, _ in samples]
    contradiction = [(1 - u) * share for u, (_, _, share) in zip(neutral, samples, strict=True)]
    weights = [math.exp(logprob) for logprob in logprobs]
    kernels = [1 - d - u / 2 for u, d in zip(neutral, contradiction, strict=True)]
    expected = sum(w * k for w, k in zip(weights, kernels, strict=True)) / sum(weights)
    found = semantic_density(logprobs, neutral, contradiction)
    assert found == pytest.approx(expected, abs=1e-9)
    assert -1e-9 <= found <= 1 + 1e-9


def test_a_sample_without_relation_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        semantic_density([-1.0, -1.0], [0.5], [0.5])


@given(SHARES, SHARES, SHARES)
def test_bsdetector_has_the_weights_of_the_paper(consistent: float, equal: float, sure: float) -> None:
    # beta (alpha consistency + (1 - alpha) equality) + (1 - beta) self-reflection
    expected = 0.7 * (0.8 * consistent + 0.2 * equal) + 0.3 * sure
    assert bsdetector(consistent, equal, sure) == pytest.approx(expected, abs=1e-12)
