import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.leaves import Agreement, agreement, json_leaves, load


def agreed(a: str, b: str) -> Agreement:
    return agreement(json_leaves(load(a)), json_leaves(load(b)))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ('{"a": 1, "b": 2}', '{"b": 2.0, "a": 1e0}'),
        ('{"a": 0.30000000000000004}', '{"a": 0.3}'),
        ('{"a": -0.0}', '{"a": 0}'),
        ('{"a": "The Fox"}', '{"a": "fox."}'),
        ('{"tags": ["x", "y", "x"]}', '{"tags": ["y", "x", "x"]}'),
        ('{"a": "🙂"}', '{"a": "🙂 "}'),
        ("[1e999]", "[1e999]"),
        ("[NaN]", "[NaN]"),
    ],
)
def test_the_same_value_in_other_writing_is_equal(a: str, b: str) -> None:
    assert agreed(a, b) == (True, 1.0, ())


@pytest.mark.parametrize(
    ("a", "b", "share"),
    [
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 1 / 2),
        ('{"a": 1, "b": 2}', '{"a": 1}', 1 / 2),
        ('{"at": [1, 2]}', '{"at": [2, 1]}', 0),
        ('{"a": "1"}', '{"a": 1}', 0),
        ('{"a": true}', '{"a": 1}', 0),
        ('{"a": []}', '{"a": {}}', 0),
        ('{"a": null}', '{"a": "null"}', 0),
        ('{"a.b": 1}', '{"a": {"b": 1}}', 0),
        ('{"t": ["x", "y", "z"]}', '{"t": ["z", "y"]}', 2 / 3),
        ('{"day": "2024-05-01"}', '{"day": "2024-05-02"}', 0),
        ('{"code": "A-113"}', '{"code": "A-114"}', 0),
        ('{"a": "🙂"}', '{"a": 1}', 0),
        (f"[{'9' * 5000}]", f"[{'9' * 4999}8]", 0),
    ],
)
def test_other_numbers_constants_and_shapes_are_different(a: str, b: str, share: float) -> None:
    found = agreed(a, b)
    assert (found.equivalent, found.open) == (False, ())
    assert found.share == pytest.approx(share)
    assert agreed(b, a)[:2] == agreed(a, b)[:2]


def test_other_wording_is_left_open() -> None:
    found = agreed('{"n": 1, "city": "Paris", "in": "France"}', '{"n": 1, "city": "Lutetia, Gaul", "in": "France"}')
    assert found == (None, 2 / 3, (("Paris", "Lutetia, Gaul"),))
    assert agreed('{"t": ["red", "fox"]}', '{"t": ["fox", "crimson"]}') == (None, 0.5, (("red", "crimson"),))


def test_wording_stays_open_beside_a_difference() -> None:
    assert agreed('{"a": 1, "b": "x"}', '{"a": 2, "b": "y"}') == (False, 0.0, (("x", "y"),))


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "[" * 100_000, '{"a":' * 2_000 + "1" + "}" * 2_000])
def test_what_is_no_json_or_nested_too_deeply_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_leaves(load(text))


SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, width=16) | st.text("ab", max_size=2)
)
VALUES = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text("x.[", max_size=2), v, max_size=3),
    max_leaves=9,
)


@given(VALUES)
def test_every_value_equals_itself_whatever_its_layout(value: Any) -> None:
    assert agreed(json.dumps(value), json.dumps(value, indent=2)) == (True, 1.0, ())


@given(VALUES, VALUES)
def test_agreement_is_a_symmetric_share_and_whole_only_where_all_is_equal(a: Any, b: Any) -> None:
    left, right = json_leaves(a), json_leaves(b)
    found, back = agreement(left, right), agreement(right, left)
    assert found[:2] == back[:2]
    assert 0 <= found.share <= 1
    assert (
        (found.equivalent is True)
        == (found.share == 1)
        == ([leaf[:2] for leaf in left] == [leaf[:2] for leaf in right])
    )
