from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.base import Relation, Relations
from streamroute.uncertainty.likeness import contained, likeness, mean_entailment

SHARES = st.floats(0, 1)


def both(entailment: float) -> Relations:
    return Relations(Relation(entailment, 1 - entailment, 0), Relation(entailment, 1 - entailment, 0))


def test_the_shorter_text_decides_what_is_contained_and_the_question_does_not_count() -> None:
    assert contained(["marie", "curie"], ["it", "was", "marie", "curie"]) == 1
    assert contained(["marie", "curie"], ["pierre", "curie", "the", "husband"]) == 0.5
    assert contained(["pierre"], ["pierre", "curie"], asked=["pierre"]) == 0
    assert contained([], ["x"]) == contained([], []) == 0


def test_mean_entailment_is_of_both_directions() -> None:
    assert mean_entailment(Relations(Relation(0.6, 0.4, 0), Relation(0.2, 0.8, 0))) == pytest.approx(0.4)


def test_a_sure_model_without_shared_words_and_shared_words_without_a_model_are_both_heard() -> None:
    assert likeness(both(1.0), 0) > 0.5 > likeness(both(0.0), 0)
    assert likeness(both(0.5), 1) > 0.5 > likeness(both(0.5), 0)


@given(SHARES, SHARES, SHARES)
def test_it_is_a_probability_that_rises_with_either(entailment: float, shared: float, more: float) -> None:
    value = likeness(both(entailment), shared)
    assert 0 < value < 1
    assert likeness(both(max(entailment, more)), shared) >= value
    assert likeness(both(entailment), max(shared, more)) >= value


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)))
def test_containment_is_symmetric_between_texts_of_one_size_and_within_bounds(a: list[str], b: list[str]) -> None:
    assert 0 <= contained(a, b) <= 1
    assert contained(a, b) == contained(b, a)
