from __future__ import annotations

from dataclasses import replace

import pytest

from streamroute.core.values import value


@value
class Point:
    x: int
    y: int = 0


@value(kw_only=True)
class Named:
    x: int


def test_a_value_is_equal_and_hashed_by_its_fields() -> None:
    assert Point(1, 2) == Point(1, y=2) != Point(1)
    assert {Point(1): "a"}[Point(1, 0)] == "a"
    assert repr(replace(Point(1), y=3)) == "Point(x=1, y=3)"


def test_a_value_matches_by_position() -> None:
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)


def test_a_value_has_no_other_fields() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 3  # type: ignore[attr-defined]


def test_a_value_may_want_its_fields_by_name() -> None:
    assert Named(x=1).x == 1
    with pytest.raises(TypeError):
        Named(1)  # type: ignore[call-arg]
