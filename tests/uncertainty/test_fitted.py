import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.types import Features
from streamroute.uncertainty.combine import no_label_score
from streamroute.uncertainty.fitted import FEATURES, Logistic, value_of

UNIT = st.floats(0, 1)
PLAIN = ("disagreement", "contradiction", "entropy", "snne", "lexical", "refusal", "length", "doubt", "prior")
SOME = Features(disagreement=0.5, contradiction=0.2, entropy=0.6, snne=0.4)


def features(values: dict[str, float]) -> Features:
    return Features(**{**dict.fromkeys(PLAIN, 0.5), **values})  # type: ignore[arg-type]


def test_it_is_the_sigmoid_of_the_weighted_features() -> None:
    fitted = Logistic(-1.0, {"disagreement": 2.0, "snne": 1.0}, {"disagreement": 0.5, "snne": 0.5})
    assert fitted(SOME) == pytest.approx(1 / (1 + math.exp(1.0 - 2.0 * 0.5 - 0.4)))


def test_what_is_not_known_counts_as_the_mean_of_the_fit() -> None:
    fitted = Logistic(0.0, {"doubt": 3.0}, {"doubt": 0.25})
    assert fitted(SOME) == pytest.approx(1 / (1 + math.exp(-0.75)))


def test_the_default_score_is_a_feature() -> None:
    assert value_of(SOME, "default") == no_label_score(SOME)


@given(st.dictionaries(st.sampled_from(PLAIN), UNIT), st.sampled_from(PLAIN), UNIT, st.lists(st.floats(0, 50)))
def test_no_feature_lowers_it_by_rising(values: dict[str, float], name: str, more: float, weights: list[float]) -> None:
    weighed = dict(zip(FEATURES, weights, strict=False))
    fitted = Logistic(-2.0, weighed, dict.fromkeys(weighed, 0.5))
    low = features(values)
    high = features(values | {name: max(more, values.get(name, 0.5))})
    assert 0 <= fitted(low) <= fitted(high) + 1e-12 <= 1 + 1e-12


@pytest.mark.parametrize(
    ("intercept", "weights", "means", "said"),
    [
        (0.0, {"mood": 1.0}, {"mood": 0.5}, "mood"),
        (0.0, {"snne": -1.0}, {"snne": 0.5}, "snne"),
        (0.0, {"snne": math.inf}, {"snne": 0.5}, "snne"),
        (0.0, {"snne": 1.0}, {}, "mean"),
        (math.nan, {}, {}, "intercept"),
    ],
)
def test_what_is_no_score_is_named(
    intercept: float, weights: dict[str, float], means: dict[str, float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Logistic(intercept, weights, means)
