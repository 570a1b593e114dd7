"""A little of `benchmarks.fuzz`: hostile bytes give our own errors and no others. The million runs by hand."""

from __future__ import annotations

import pytest

from benchmarks.fuzz import TARGETS, run
from streamroute.errors import BadRequestError
from streamroute.wire.errors import WireError
from streamroute.wire.openai import ChoiceCollector, answer_decoder, decode_request


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_only_our_own_errors_come_of_mutated_bytes(target: str) -> None:
    found = run(target, 1_500, seed=7)
    assert found["bad_ones"] == []
    assert found["refused"] > 0 < found.get("ended", 0) + found.get("served", 0)


@pytest.mark.parametrize("field", [b'"content":"\xff"', b'"tool_calls":[{"id":"\xff"}]', b'"tool_calls":{"a":1}'])
def test_a_delta_that_is_not_utf_8_or_no_tool_call_is_a_wire_error(field: bytes) -> None:
    decoder = answer_decoder("text/event-stream")
    heard = decoder.feed(
        b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"choices":[{"delta":{%b}}]}\n\n' % field
    )
    assert [delta.text for delta in heard] == ["a"]
    with pytest.raises(WireError):
        decoder.eof()


def test_bad_utf_8_in_log_probabilities_costs_only_them() -> None:
    decoder = answer_decoder("text/event-stream")
    [delta] = decoder.feed(
        b'data: {"choices":[{"delta":{"content":"a"},"logprobs":{"content":[{"token":"\xff","logprob":-1}]}}]}\n\n'
    )
    collector = ChoiceCollector()
    collector.add(delta)
    assert collector.choices()[0].text == "a"
    assert not delta.logprobs


@pytest.mark.parametrize(("field", "value"), [("modalities", b"5"), ("audio", b"[]"), ("functions", b'"f"')])
def test_fields_that_decide_about_judging_must_be_of_their_type(field: str, value: bytes) -> None:
    with pytest.raises(BadRequestError) as raised:
        decode_request(b'{"model":"m","messages":[{"role":"user","content":"?"}],"%b":%b}' % (field.encode(), value))
    assert raised.value.param == field
