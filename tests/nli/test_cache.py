import pytest

from streamroute.nli.cache import KEPT_CHARACTERS, RelationCache
from streamroute.uncertainty.base import Pair, Relation, Relations

FORWARD, BACKWARD = Relation(1, 0, 0), Relation(0, 1, 0)
BOTH = Relations(FORWARD, BACKWARD)


def pair(a: str, b: str = "b", context: str = "") -> Pair:
    return Pair(context, a, b)


def test_a_pair_serves_both_orders_of_its_texts() -> None:
    cache = RelationCache(1)
    cache.put(pair("a"), BOTH)
    assert cache.get(pair("a")) == BOTH
    assert cache.get(pair("b", "a")) == Relations(BACKWARD, FORWARD)
    assert cache.get(pair("a", context="Which?")) is None


def test_what_was_of_no_use_for_longest_goes_first() -> None:
    cache = RelationCache(2)
    cache.put(pair("x"), BOTH)
    cache.put(pair("y"), BOTH)
    assert cache.get(pair("b", "x")) is not None
    cache.put(pair("z"), BOTH)
    assert cache.get(pair("y")) is None
    assert cache.get(pair("x")) == cache.get(pair("z")) == BOTH


def test_a_cache_of_no_size_keeps_nothing() -> None:
    cache = RelationCache(0)
    cache.put(pair("a"), BOTH)
    assert cache.get(pair("a")) is None
    with pytest.raises(ValueError, match="-1"):
        RelationCache(-1)


def test_texts_too_long_to_keep_are_not_kept() -> None:
    cache = RelationCache(2)
    cache.put(pair("a" * KEPT_CHARACTERS), BOTH)
    assert cache.get(pair("a" * KEPT_CHARACTERS)) is None
