"""W3C Trace Context: the two headers by which a request is known across services. Bounded, and passed on only where
they are what they should be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

__all__ = ("TraceContext",)

# A version to come may have more fields; the first four stay as they are, and `ff` is none.
_PARENT: Final = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]{0,128})?")
_STATE: Final = re.compile(r"[ -~\t]{1,512}")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Where a request stands in its trace: ids as the header has them, in lower-case hex."""

    trace_id: str
    span_id: str
    flags: str
    state: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self | None:
        """That of a request; None where it bears none that is valid. `tracestate` alone means nothing."""
        parent = headers.get("traceparent")
        found = None if parent is None else _PARENT.fullmatch(parent.strip())
        if found is None:
            return None
        version, trace_id, span_id, flags, more = found.groups()
        if not trace_id.strip("0") or not span_id.strip("0") or (version == "00" and more):
            return None
        state = headers.get("tracestate", "").strip()
        return cls(trace_id, span_id, flags, state if _STATE.fullmatch(state) else "")

    @property
    def sampled(self) -> bool:
        return bool(int(self.flags, 16) & 1)

    def headers(self) -> dict[str, str]:
        """As the headers of a request further on. Of a version to come only what is known is passed on."""
        told = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{self.flags}"}
        return {**told, "tracestate": self.state} if self.state else told
