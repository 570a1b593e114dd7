"""For schemathesis: what a schema cannot say of a request that fits it.

Most ask for a model that is there, lest all that is tested is what is said of others. A tier that is named is one of
the route's, and what `auto` may do is said to `auto` alone.
"""

from __future__ import annotations

from typing import Any

import schemathesis

NAMES = ("auto", "shown", "appended", "continued", "cheap", "large")


@schemathesis.hook  # type: ignore[untyped-decorator]
def map_body(context: Any, body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    body = dict(body)
    if isinstance(body.get("model"), str) and body["model"]:
        body["model"] = NAMES[len(body["model"]) % len(NAMES)]
    if isinstance(options := body.get("streamroute"), dict):
        body["streamroute"] = _possible(options, "tier", "release", "on_escalation")
    return body


@schemathesis.hook  # type: ignore[untyped-decorator]
def map_headers(context: Any, headers: Any) -> Any:
    if not headers:
        return headers
    # What the body says of the release wins, so that only a body can be sure of it.
    possible = _possible(headers, "x-streamroute-tier", "x-streamroute-release", "x-streamroute-on-escalation")
    possible.pop("x-streamroute-on-escalation", None)
    return possible


def _possible(given: Any, tier: str, release: str, on_escalation: str) -> dict[str, Any]:
    options: dict[str, Any] = dict(given)
    if isinstance(options.get(tier), str) and options[tier]:
        options[tier] = ("cheap", "large")[len(options[tier]) % 2]
    if options.get(on_escalation) is not None:
        options[release] = "auto"
    return options
