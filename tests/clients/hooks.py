"""For schemathesis: what a schema cannot say of a request that fits it. What does not fit is left as it is.

Most ask for a model that is there, lest all that is tested is what is said of others. A tier that is named is one of
the route's, and what `auto` may do is said to `auto` alone.
"""

from __future__ import annotations

import re
from typing import Any

import schemathesis

NAMES = ("auto", "shown", "appended", "continued", "cheap", "large")
RELEASES = ("hold", "retract", "append", "continue", "auto")
ON_ESCALATION = ("retract", "append", "continue")


@schemathesis.hook  # type: ignore[untyped-decorator]
def map_body(context: Any, body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    body = dict(body)
    if isinstance(model := body.get("model"), str) and 0 < len(model) <= 256:
        body["model"] = NAMES[len(model) % len(NAMES)]
    if isinstance(options := body.get("streamroute"), dict):
        options = body["streamroute"] = dict(options)
        if isinstance(tier := options.get("tier"), str) and len(tier) <= 256:
            options["tier"] = _tier(tier)
        if options.get("on_escalation") in ON_ESCALATION and options.get("release") in (None, *RELEASES):
            options["release"] = "auto"
    return body


@schemathesis.hook  # type: ignore[untyped-decorator]
def map_headers(context: Any, headers: Any) -> Any:
    headers = dict(headers or {})
    if re.search(r"\S", str(tier := headers.get("x-streamroute-tier", ""))):
        headers["x-streamroute-tier"] = _tier(str(tier))
    # What the body says of the release wins, so that only a body can be sure of it.
    if headers.get("x-streamroute-on-escalation") in ON_ESCALATION:
        del headers["x-streamroute-on-escalation"]
    return headers


def _tier(name: str) -> str:
    return ("cheap", "large")[len(name) % 2]
