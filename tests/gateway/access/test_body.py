"""The body: not nested deeper than is allowed, whatever its strings hold, and told in time."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.config.settings import LimitSettings, ServerSettings
from streamroute.errors import BadRequestError
from streamroute.gateway.access.body import check_depth
from tests.gateway.served import QUESTION, serving, virtually


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


TEXT = st.text(alphabet='[]{}"\\,:aü\n')
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=30,
)


@given(value=JSON, ascii=st.booleans(), indent=st.sampled_from([None, 1]))
def test_what_is_as_deep_as_allowed_passes_and_one_more_level_does_not(
    value: Any, ascii: bool, indent: int | None
) -> None:
    body = json.dumps(value, ensure_ascii=ascii, indent=indent).encode()
    depth = depth_of(value)
    check_depth(body, max(depth, 1))
    if depth > 1:
        with pytest.raises(BadRequestError, match=f"more than {depth - 1} levels"):
            check_depth(body, depth - 1)


@given(st.binary(max_size=300) | st.text(alphabet='[]{}"\\').map(str.encode))
def test_what_is_no_json_is_passed_on_or_too_deep(body: bytes) -> None:
    with suppress(BadRequestError):
        check_depth(body, 3)


@pytest.mark.parametrize("piece", [b"[", b"[]", b'"\\', b'\\"', b'{"a":', b'"', b"]["])
def test_megabytes_of_anything_are_looked_through_at_once(piece: bytes) -> None:
    """Where the work grew with the square of the length, or with the depth, this would not end."""
    for body in (piece * (4_000_000 // len(piece)), b"[" * 2_000_000 + b"]" * 2_000_000):
        with suppress(BadRequestError):
            check_depth(body, 3)
    with pytest.raises(BadRequestError):
        check_depth(b"[[[[" + piece * (2_000_000 // len(piece)), 3)


@pytest.mark.parametrize("path", ["/v1/chat/completions"])
def test_a_body_that_is_too_deep_is_a_400_that_says_so(path: str) -> None:
    def nested(levels: int) -> Any:
        return [nested(levels - 1)] if levels > 1 else []

    async def main() -> None:
        server = ServerSettings(port=0, drain_seconds=0, limits=LimitSettings(depth=6))
        async with serving(server=server) as served:
            ask = {"model": "auto", "messages": QUESTION}
            assert (await served.post({**ask, "deep": nested(5)}, path=path)).status == 200
            reply = await served.post({**ask, "deep": nested(6)}, path=path)
            assert (reply.status, reply.error["code"]) == (400, "too_deep")
            assert "more than 6 levels" in reply.error["message"]

    virtually(main)


@pytest.mark.parametrize("levels", [60, 400])
def test_the_deepest_body_that_may_be_allowed_breaks_nothing(levels: int) -> None:
    async def main() -> None:
        server = ServerSettings(port=0, drain_seconds=0, limits=LimitSettings(depth=500))
        async with serving(server=server) as served:
            ask = json.dumps({"model": "auto", "messages": QUESTION, "deep": 0}).encode()
            body = ask.replace(b'"deep": 0', b'"deep": ' + b"[" * levels + b"]" * levels)
            assert (await served.post(body)).status == 200

    virtually(main)
