"""What errors say."""

from __future__ import annotations

from streamroute.errors import RouteError, UpstreamError


def test_a_route_error_names_each_leg_once() -> None:
    causes = [("cheap", UpstreamError("reset", upstream="cheap")), ("large", UpstreamError("gone", upstream="gpt"))]
    assert str(RouteError(causes, shown=False)) == "every leg failed (cheap: reset; large: gpt: gone)"
    assert str(RouteError(causes[:1], shown=True)) == "the answer broke off (cheap: reset)"
