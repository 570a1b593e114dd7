from __future__ import annotations

import json
from typing import Any

import pytest

from streamroute.core.types import Delta, Usage
from streamroute.wire.errors import WireError
from streamroute.wire.openai import Choice, ChoiceCollector


def collected(*deltas: Delta) -> list[Choice]:
    collector = ChoiceCollector()
    for delta in deltas:
        collector.add(delta)
    return collector.choices()


def calls(*pieces: Any) -> Any:
    (choice,) = collected(*(Delta(tool_calls=json.dumps(piece).encode()) for piece in pieces))
    assert choice.tool_calls is not None
    return json.loads(choice.tool_calls)


def test_each_choice_is_joined_by_itself_in_the_order_of_the_indices() -> None:
    assert collected(
        Delta("b", index=1),
        Delta("a", index=0),
        Delta("a", index=0),
        Delta(index=1, finish_reason="length"),
        Delta(refusal="no", index=0, finish_reason="stop"),
        Delta(usage=Usage(1, 1)),
    ) == [
        Choice(0, text="aa", refusal="no", finish_reason="stop"),
        Choice(1, text="b", finish_reason="length"),
    ]


def test_usage_alone_is_no_choice_and_what_was_cleared_is_gone() -> None:
    assert collected(Delta(usage=Usage(1, 1))) == []
    collector = ChoiceCollector()
    collector.add(Delta("cheap"))
    collector.clear()
    collector.add(Delta("large"))
    assert collector.choices() == [Choice(0, text="large")]


def test_the_fragments_of_a_tool_call_become_the_call() -> None:
    assert calls(
        [{"index": 0, "id": "c0", "type": "function", "function": {"name": "f", "arguments": ""}}],
        [{"index": 0, "function": {"arguments": '{"a"'}}],
        [{"index": 1, "id": "c1", "type": "function", "function": {"name": "g", "arguments": "{}"}}],
        [{"index": 0, "function": {"arguments": ":1}"}}],
    ) == [
        {"id": "c0", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "c1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


def test_what_a_server_says_again_is_not_doubled() -> None:
    assert calls(
        [{"index": 0, "id": "c0", "type": "function", "function": {"name": "f", "arguments": "{"}}],
        [{"index": 0, "id": "c0", "type": "function", "function": {"name": "f", "arguments": "}"}}],
        [{"index": 0, "id": "", "function": {"name": None, "arguments": None}}],
    ) == [{"id": "c0", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def test_a_field_that_comes_late_is_kept() -> None:
    assert calls([{"index": 0}], [{"index": 0, "id": "c0"}]) == [{"id": "c0"}]


def test_calls_without_an_index_are_told_apart_by_their_place() -> None:
    assert calls([{"id": "c0"}, {"id": "c1"}]) == [{"id": "c0"}, {"id": "c1"}]


@pytest.mark.parametrize("rubbish", [b"{}", b"[3]", b"nope", b'[{"index": "a"}]'])
def test_rubbish_in_the_place_of_tool_calls_is_an_error(rubbish: bytes) -> None:
    with pytest.raises(WireError):
        collected(Delta(tool_calls=rubbish))
