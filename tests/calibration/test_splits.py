"""Splits are disjoint, whole by group, and the same for the same records in another order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.calibration.records import Record
from streamroute.calibration.splits import split

SHARES = (0.4, 0.2, 0.4)


def records(groups: list[int]) -> list[Record]:
    return [Record(id=str(i), score=0.5, group=str(group)) for i, group in enumerate(groups)]


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(0, 5))
def test_every_record_is_in_one_part_with_all_of_its_group(groups: list[int], seed: int) -> None:
    given_ = records(groups)
    parts = split(given_, SHARES, seed=seed)
    assert sorted(r.id for part in parts for r in part) == sorted(r.id for r in given_)
    homes = [{r.group for r in part} for part in parts]
    assert sum(map(len, homes)) == len(set(groups))
    backwards = split(given_[::-1], SHARES, seed=seed)
    assert [{r.id for r in part} for part in parts] == [{r.id for r in part} for part in backwards]


def test_the_parts_have_their_shares_and_another_seed_draws_others() -> None:
    given_ = records(list(range(1000)))
    first, second = split(given_, SHARES, seed=1), split(given_, SHARES, seed=2)
    assert [len(part) for part in first] == [400, 200, 400]
    assert first.fit != second.fit
    assert split(given_, (0.0, 0.5, 0.5)).fit == []


def test_shares_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        split([], (0.5, 0.5, 0.5))
