import json
from typing import Any

import pytest

from streamroute.uncertainty.calls import Call, call_agreement, tool_calls
from streamroute.uncertainty.leaves import Agreement, load


def call(name: str, arguments: object = "{}", **more: str) -> dict[str, Any]:
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": written}, **more}


def read(*calls: dict[str, Any]) -> tuple[Call, ...]:
    found = tool_calls(load(json.dumps(calls)))
    assert found is not None
    return found


def agreed(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> Agreement:
    found, back = call_agreement(read(*a), read(*b)), call_agreement(read(*b), read(*a))
    assert found[:2] == back[:2]
    return found


@pytest.mark.parametrize(
    "written",
    [
        '[{"function": {"name": "f", "arguments": "{\\"a\\": 1}"}}]',
        '[{"id": "x", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{\\"a\\": 1.0}"}}]',
        '[{"name": "f", "arguments": {"a": 1}}]',
        '{"name": "f", "arguments": "{ \\"a\\" : 1 }"}',
        '{"tool_calls": [{"name": "f", "arguments": {"a": 1}}]}',
    ],
)
def test_one_call_has_one_form(written: str) -> None:
    assert tool_calls(load(written)) == read(call("f", {"a": 1}))


@pytest.mark.parametrize(
    "written",
    [
        "[]", "{}", "1", '{"name": "Bob"}', '{"name": "Bob", "arguments": 3}',
        '{"name": "Bob", "arguments": "{}", "age": 3}',
        '[{"name": "f", "arguments": {}}, 1]', '{"tool_calls": 1}', '{"function": 1}', '{"name": 1, "arguments": "{}"}',
    ],
)  # fmt: skip
def test_other_data_calls_nothing(written: str) -> None:
    assert tool_calls(load(written)) is None


def test_the_order_of_calls_and_their_identifiers_do_not_count() -> None:
    a, b = call("f", {"x": 1}, id="1"), call("g", {"y": 2}, id="2")
    assert agreed([a, b], [call("g", {"y": 2}), call("f", {"x": 1})]) == (True, 1.0, ())
    assert read(a, b) == read(b, a)


def test_another_tool_is_a_contradiction() -> None:
    assert agreed([call("f")], [call("g")]) == (False, 0.0, ())
    assert agreed([call("f"), call("g")], [call("f"), call("h")]) == (False, 0.5, ())
    assert agreed([call("f")], [call("f"), call("f")]) == (False, 0.5, ())


def test_arguments_agree_leaf_by_leaf() -> None:
    assert agreed([call("f", {"a": 1, "b": 2})], [call("f", {"a": 1, "b": 3})]) == (False, 0.5, ())
    found = agreed([call("f", {"n": 1, "q": "big fox"})], [call("f", {"n": 1, "q": "large fox"})])
    assert found == (None, 0.5, (("big fox", "large fox"),))


def test_calls_of_one_tool_are_paired_with_what_is_most_like_them() -> None:
    a = [call("f", {"a": 1, "b": 1}), call("f", {"a": 2, "b": 2})]
    b = [call("f", {"a": 2, "b": 2}), call("f", {"a": 1, "b": 3})]
    assert agreed(a, b) == (False, 0.75, ())


def test_no_arguments_are_an_empty_object() -> None:
    assert read(call("f", "")) == read(call("f", "{}")) == read({"name": "f", "arguments": {}})


def test_malformed_arguments_equal_only_themselves() -> None:
    assert agreed([call("f", "{bad")], [call("f", "{bad")]) == (True, 1.0, ())
    assert agreed([call("f", "{bad")], [call("f", "{worse")]) == (False, 0.0, ())
    assert agreed([call("f", "{bad")], [call("f", "{}")]) == (False, 0.0, ())


def test_many_calls_of_one_tool_are_not_all_tried_with_each_other() -> None:
    many = [call("f", {"a": i}) for i in range(300)]
    assert agreed(many, list(reversed(many))) == (True, 1.0, ())
