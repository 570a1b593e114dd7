"""When a peer asks to be asked again, in every way it can say so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from streamroute.wire.retry_after import encode_retry_after, retry_after_of

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:57 GMT"}, 20.0),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:00 GMT"}, 0.0),
        ({"Retry-After-Ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "1e12"}, None),
        ({"Retry-After": "Sun, 06 Nov 9994 08:49:57 GMT"}, None),
        ({"Retry-After": "Sun, 99 Nov 1994 08:49:57 GMT"}, None),
    ],
)
def test_every_form_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_of(CIMultiDict(headers), now=NOW) == seconds


@given(st.text(max_size=40))
def test_whatever_it_says_is_a_wait_or_nothing(said: str) -> None:
    seconds = retry_after_of(CIMultiDict({"Retry-After": said}), now=NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(("seconds", "said"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (1.2, "2"), (60.0, "60")])
def test_it_is_said_in_whole_seconds_and_never_sooner(seconds: float, said: str) -> None:
    assert encode_retry_after(seconds) == said
