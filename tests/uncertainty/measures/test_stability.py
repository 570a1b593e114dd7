import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.measures.stability import Match, greedy_assignment, order_sensitivity

# A and C are equivalent, B and C are, A and B are not (METHOD 1.1).
INTRANSITIVE = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 1]], dtype=bool)


def test_a_text_like_two_others_goes_with_the_first_or_the_last() -> None:
    assert greedy_assignment(INTRANSITIVE, range(3)) == [0, 1, 0]
    assert greedy_assignment(INTRANSITIVE, range(3), match=Match.LAST) == [0, 1, 1]


def test_a_text_like_two_others_that_comes_first_takes_both() -> None:
    assert greedy_assignment(INTRANSITIVE, [2, 0, 1]) == [0, 0, 0]


@pytest.mark.parametrize("match", Match)
def test_the_order_matters_where_the_relation_is_no_equivalence(match: Match) -> None:
    # Of the six orders, the two that begin with C have one cluster instead of two.
    firsts = [order[0] for order in itertools.permutations(range(3))]
    share = firsts.count(2) / len(firsts)
    assert order_sensitivity(INTRANSITIVE, shuffles=3000, match=match) == pytest.approx(share, abs=0.03)
    # Given with C first, it is the other four that differ.
    first = INTRANSITIVE[np.ix_([2, 0, 1], [2, 0, 1])]
    assert order_sensitivity(first, shuffles=3000, match=match) == pytest.approx(1 - share, abs=0.03)


@given(st.lists(st.integers(0, 3), max_size=7), st.sampled_from(Match))
def test_an_equivalence_gives_its_classes_in_every_order(labels: list[int], match: Match) -> None:
    equivalent = np.array([[a == b for b in labels] for a in labels], dtype=bool).reshape(len(labels), len(labels))
    assert order_sensitivity(equivalent, shuffles=5, match=match) == 0
    found = greedy_assignment(equivalent, range(len(labels)), match=match)
    assert [[a == b for b in found] for a in found] == equivalent.tolist()


def test_the_same_seed_gives_the_same_shuffles() -> None:
    random = np.random.default_rng(5)
    equivalent = np.eye(8, dtype=bool) | (random.random((8, 8)) < 0.4)
    assert order_sensitivity(equivalent, seed=3) == order_sensitivity(equivalent, seed=3)


def test_no_shuffles_are_an_error() -> None:
    with pytest.raises(ValueError, match="shuffles"):
        order_sensitivity(INTRANSITIVE, shuffles=0)
