import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.measures.entropies import discrete_entropy
from streamroute.uncertainty.sequential import Group, Stance, completions, entropy_bounds, reachable_range
from tests.uncertainty.partitions import partitions


def final_counts(counts: tuple[int, ...], remaining: int, closed: int | None) -> set[tuple[int, ...]]:
    """Every outcome by brute force: each further text names its cluster, old or new."""
    names = len(counts) + remaining if closed is None else closed
    found = set()
    for choice in itertools.product(range(names), repeat=remaining):
        sizes = [*counts, *[0] * (names - len(counts))]
        for name in choice:
            sizes[name] += 1
        found.add(tuple(sorted((s for s in sizes if s), reverse=True)))
    return found


STATES = [
    (counts, remaining)
    for n in range(1, 7)
    for seen in range(n + 1)
    for counts in partitions(seen)
    for remaining in [n - seen]
]


@pytest.mark.parametrize(("counts", "remaining"), [s for s in STATES if s[1] <= 5])
def test_entropy_bounds_are_exactly_the_extremes_of_all_outcomes(counts: tuple[int, ...], remaining: int) -> None:
    reached = [discrete_entropy(final) for final in final_counts(counts, remaining, None)]
    assert entropy_bounds(counts, remaining) == pytest.approx((min(reached), max(reached)), abs=1e-12)


@pytest.mark.parametrize("closed", [1, 2, 3, 4])
def test_entropy_bounds_of_closed_answer_sets_are_exact(closed: int) -> None:
    for counts, remaining in STATES:
        if len(counts) <= closed:
            reached = [discrete_entropy(final) for final in final_counts(counts, remaining, closed)]
            found = entropy_bounds(counts, remaining, closed=closed)
            assert found == pytest.approx((min(reached), max(reached)), abs=1e-12)


def test_more_clusters_than_answers_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 clusters in a closed set of 2"):
        entropy_bounds((1, 1, 1), 1, closed=2)


def test_no_texts_have_no_entropy() -> None:
    assert entropy_bounds((), 0) == (0.0, 0.0)


@pytest.mark.parametrize(("texts", "states"), [(6, 45), (8, 120), (11, 423)])
def test_the_number_of_states_is_the_published_one(texts: int, states: int) -> None:
    found = set()
    for probes in range(texts):
        found |= set(completions([Group(0, answer=True)], probes))
    assert len(found) == states


def slow_completions(groups: list[Group], remaining: int) -> set[tuple[Group, ...]]:
    """The definition, one text at a time, without merging states: first the probes, then a missing answer."""
    if remaining == 0 and any(group.answer for group in groups):
        return {tuple(sorted(groups, reverse=True))}
    text = Group(1) if remaining else Group(0, answer=True)
    found: set[tuple[Group, ...]] = set()
    for i, group in enumerate(groups):
        grown = Group(group.probes + text.probes, group.answer or text.answer, group.stance)
        found |= slow_completions([*groups[:i], grown, *groups[i + 1 :]], max(0, remaining - 1))
    return found | slow_completions([*groups, text], max(0, remaining - 1))


GROUPS = st.lists(st.integers(1, 3), max_size=3).flatmap(
    lambda sizes: st.tuples(st.just(sizes), st.integers(-1, len(sizes) - 1), st.booleans())
)


@given(GROUPS, st.integers(0, 3))
def test_completions_are_all_and_each_once(made: tuple[list[int], int, bool], remaining: int) -> None:
    sizes, own, refusing = made
    groups = [
        Group(size, answer=i == own, stance=Stance.POLICY if refusing and i == 0 else Stance.CLAIM)
        for i, size in enumerate(sizes)
    ]
    found = list(completions(groups, remaining))
    assert len(found) == len(set(found))
    assert set(found) == slow_completions(groups, remaining)


def test_the_reachable_range_spans_all_intervals() -> None:
    def share(state: tuple[Group, ...]) -> tuple[float, float]:
        own = next(group.probes for group in state if group.answer)
        return own / 4, own / 4 + 0.1

    low, high = reachable_range([Group(1, answer=True), Group(1)], 2, share)
    assert low == 0.25
    assert high == pytest.approx(0.85)
