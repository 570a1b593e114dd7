"""States of a stopping table, and what probes make of them."""

from __future__ import annotations

import math
import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.measures.posterior import ALPHA_PRIOR
from streamroute.uncertainty.stopping.states import Move, State, following, placements, state_of
from tests.uncertainty.stopping.seen import evidence

OTHERS = st.lists(st.integers(1, 4), max_size=4).map(lambda sizes: tuple(sorted(sizes, reverse=True)))
STATES = st.builds(State, st.none() | st.integers(0, 5), OTHERS)
UNJUDGED = st.builds(State, st.none(), OTHERS)


@given(STATES)
def test_the_next_states_are_all_there_is_each_once_with_one_probe_more(state: State) -> None:
    found = list(following(state))
    assert math.fsum(p for _, _, p in found) == pytest.approx(1)
    assert all(p > 0 for _, _, p in found)
    after = [following for _, following, _ in found]
    assert len(set(after)) == len(after)
    for each in after:
        assert each.probes == state.probes + 1
        assert each.others == tuple(sorted(each.others, reverse=True))


def test_each_move_does_what_its_name_says() -> None:
    found = [(move, after) for move, after, _ in following(State(1, (2, 1, 1)))]
    assert found == [
        (Move.AGREE, State(2, (2, 1, 1))),
        (Move.JOIN, State(1, (3, 1, 1))),
        (Move.JOIN, State(1, (2, 2, 1))),
        (Move.NEW, State(1, (2, 1, 1, 1))),
    ]


def _chance(order: list[int], alpha: float) -> float:
    """Of texts in this order of clusters: join one of c with c / (alpha + n), open one with alpha / (alpha + n)."""
    chance, sizes = 1.0, defaultdict[int, int](int)
    for seen, cluster in enumerate(order):
        chance *= (sizes[cluster] or alpha) / (alpha + seen)
        sizes[cluster] += 1
    return chance


@given(st.integers(0, 4), OTHERS)
def test_a_probe_agrees_as_the_urn_with_an_unknown_concentration_has_it(own: int, others: tuple[int, ...]) -> None:
    state = State(own, others)
    order = [c for c, size in enumerate(state.texts) for _ in range(size)]
    before = sum(prior * _chance(order, alpha) for alpha, prior in ALPHA_PRIOR)
    agreeing = sum(prior * _chance([*order, 0], alpha) for alpha, prior in ALPHA_PRIOR)
    chance = next(p for move, _, p in following(state) if move is Move.AGREE)
    assert chance == pytest.approx(agreeing / before)


@given(UNJUDGED)
def test_it_does_not_matter_whether_the_answer_or_a_probe_is_judged_first(state: State) -> None:
    answer_first, probe_first = defaultdict[State, float](float), defaultdict[State, float](float)
    for placed, p in placements(state):
        for _, after, q in following(placed):
            answer_first[after] += p * q
    for _, after, p in following(state):
        for placed, q in placements(after):
            probe_first[placed] += p * q
    assert answer_first == pytest.approx(probe_first)
    assert math.fsum(answer_first.values()) == pytest.approx(1)


def test_a_judged_answer_is_where_it_is() -> None:
    assert list(placements(State(2, (1,)))) == [(State(2, (1,)), 1.0)]


@given(st.lists(st.integers(0, 3), max_size=8), st.none() | st.integers(0, 3), st.randoms())
def test_a_state_knows_neither_names_of_clusters_nor_the_order_of_probes(
    assignment: list[int], own: int | None, source: random.Random
) -> None:
    names = source.sample(range(10), 4)
    renamed = [names[c] for c in assignment]
    source.shuffle(renamed)
    state = state_of(evidence(assignment, own=own))
    assert state_of(evidence(renamed, own=None if own is None else names[own])) == state
    assert state.probes == len(assignment)
    assert state.own == (None if own is None else assignment.count(own))
