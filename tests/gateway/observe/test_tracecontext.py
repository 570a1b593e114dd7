"""Trace context in headers: what is taken, what is passed on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.gateway.observe.tracecontext import TraceContext

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def test_what_is_valid_is_passed_on_unchanged() -> None:
    given_headers = {"traceparent": PARENT, "tracestate": "vendor=a:b,other=1"}
    context = TraceContext.of(given_headers)
    assert context == TraceContext(TRACE, SPAN, "01", "vendor=a:b,other=1")
    assert context.headers() == given_headers
    assert context.sampled


def test_without_a_state_none_is_passed_on() -> None:
    context = TraceContext.of({"traceparent": f"00-{TRACE}-{SPAN}-00"})
    assert context is not None
    assert context.headers() == {"traceparent": f"00-{TRACE}-{SPAN}-00"}
    assert not context.sampled


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\r\nx: y",
        f"00-{TRACE}-{SPAN}-1",
        f"01-{TRACE}-{SPAN}-01-{'x' * 129}",
    ],
)
def test_what_is_not_valid_is_no_context(parent: str) -> None:
    assert TraceContext.of({"traceparent": parent, "tracestate": "a=b"}) is None


def test_a_version_to_come_is_read_by_its_first_four_fields() -> None:
    context = TraceContext.of({"traceparent": f"cc-{TRACE}-{SPAN}-01-what-the-future-holds"})
    assert context is not None
    assert context.headers() == {"traceparent": PARENT}


@pytest.mark.parametrize("state", ["", "x" * 513, "a=b\r\nc: d", "a=\x00"])
def test_a_state_that_is_none_is_left_out(state: str) -> None:
    context = TraceContext.of({"traceparent": PARENT, "tracestate": state})
    assert context is not None
    assert context.headers() == {"traceparent": PARENT}


def test_a_state_alone_means_nothing() -> None:
    assert TraceContext.of({"tracestate": "a=b"}) is None


@given(st.text(max_size=200), st.text(max_size=600))
def test_no_header_of_a_client_can_break_out(parent: str, state: str) -> None:
    for given_headers in ({"traceparent": parent, "tracestate": state}, {"traceparent": PARENT, "tracestate": state}):
        context = TraceContext.of(given_headers)
        for value in () if context is None else context.headers().values():
            assert value.isascii()
            assert not {"\r", "\n", "\0"} & set(value)
            assert len(value) <= 512
