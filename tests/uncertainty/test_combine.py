from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.combine import (
    Features,
    Observed,
    certified_interval,
    disagreement,
    final_score,
    is_minority,
    no_label_score,
)
from streamroute.uncertainty.sequential import Group, Stance

UNIT = st.floats(0, 1)
FEATURES = st.builds(
    Features, disagreement=UNIT, contradiction=UNIT, entropy=UNIT, snne=UNIT, lexical=UNIT, identical=st.booleans(),
    minority=st.booleans(), ignorant=st.booleans(), doubt=st.none() | UNIT,
)  # fmt: skip


def test_the_weights_are_the_documented_ones() -> None:
    x = Features(disagreement=0.5, contradiction=0.2, entropy=0.6, snne=0.4, lexical=0.3)
    assert no_label_score(x) == pytest.approx(0.15 * 0.5 + 0.20 * 0.2 + 0.05 * 0.6 + 0.40 * 0.4 + 0.20 * 0.3)


def test_log_probabilities_take_a_tenth() -> None:
    x = Features(disagreement=0.5, contradiction=0.5, entropy=0.5, snne=0.5, lexical=0.5, doubt=1.0)
    assert no_label_score(x) == pytest.approx(0.9 * 0.5 + 0.1)


@given(FEATURES, st.sampled_from(["disagreement", "contradiction", "entropy", "snne", "lexical", "doubt"]), UNIT)
def test_the_score_is_monotone_in_every_feature(x: Features, name: str, value: float) -> None:
    current = getattr(x, name)
    if current is not None:
        worse = replace(x, **{name: max(value, current)})
        assert no_label_score(worse) >= no_label_score(x) - 1e-12


@given(FEATURES)
def test_hard_rules_bound_the_score(x: Features) -> None:
    score = no_label_score(x)
    assert 0 <= score <= 1
    if x.ignorant:
        assert score >= 0.95
    elif x.minority:
        assert score >= 0.7
    elif x.identical:
        assert score <= 0.05 + 0.1 * (x.doubt or 0)


def test_disagreement_is_the_krichevsky_trofimov_estimate() -> None:
    assert disagreement(5, 5) == pytest.approx(1 - 5.5 / 6)
    assert disagreement(0, 0) == 0.5


@pytest.mark.parametrize(("own", "other", "minority"), [(0, 3, True), (0, 2, False), (1, 4, True), (2, 3, False)])
def test_a_minority_answer_has_two_fewer_texts_than_another(own: int, other: int, minority: bool) -> None:
    assert is_minority((Group(other), Group(own, answer=True))) is minority


def observed(*groups: Group, texts: int) -> Observed:
    return Observed(groups=groups, contradictions=(), similarity=np.eye(texts), identical=False)


def test_unanimous_policy_refusals_are_kept_whatever_they_say() -> None:
    assert final_score(observed(Group(5, answer=True, stance=Stance.POLICY), texts=6)) == 0
    assert (
        final_score(observed(Group(0, answer=True, stance=Stance.POLICY), Group(5, stance=Stance.IGNORANCE), texts=6))
        == 0
    )


def test_a_refusal_beside_answers_is_a_disagreement() -> None:
    refusing, answers = Group(2, answer=True, stance=Stance.POLICY), Group(3)
    assert final_score(observed(refusing, answers, texts=6)) >= 0.7


def test_ignorance_is_worth_escalating_even_when_unanimous() -> None:
    assert final_score(observed(Group(5, answer=True, stance=Stance.IGNORANCE), texts=6)) > 0.9
    assert final_score(observed(Group(0, answer=True, stance=Stance.IGNORANCE), Group(5), texts=6)) > 0.9


def test_a_missing_answer_is_taken_to_be_of_the_largest_cluster() -> None:
    with_answer = final_score(observed(Group(4, answer=True), Group(1), texts=5))
    assert final_score(observed(Group(4), Group(1), texts=5)) == with_answer


def test_nothing_seen_certifies_next_to_nothing() -> None:
    assert certified_interval(observed(texts=0), 5) == (0, 1)
    assert certified_interval(observed(Group(2), texts=2), 3)[1] == 1
    low, high = certified_interval(observed(Group(0, answer=True), texts=1), 5)
    assert low < 0.05
    assert high > 0.9


def test_an_answer_alone_against_four_equal_probes_is_certain_to_disagree() -> None:
    groups = (Group(4), Group(0, answer=True))
    seen = Observed(groups=groups, contradictions=(0.9,) * 4, similarity=np.eye(5), identical=False)
    low, _ = certified_interval(seen, 1)
    assert low > 0.65


def test_the_interval_closes_with_the_last_probe() -> None:
    seen = Observed(
        groups=(Group(2, answer=True), Group(1)), contradictions=(0.1, 0.0, 0.8), similarity=np.eye(4), identical=False
    )
    assert certified_interval(seen, 0) == (final_score(seen), final_score(seen))
