"""Routes as `streamroute ask --json` prints them, read as rows: what was heard of each leg, and when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from streamroute.core.events import DeltaReceived
from streamroute.core.trace import Trace
from streamroute.errors import DataFileError, StreamrouteError
from streamroute.evaluation.rows import CheapLeg, LargeLeg, RoutingRow, Timing, lines_of, numbered, read_rows

__all__ = ("read_routes",)

NEEDED = "a replay needs the cheap answer, its probes and the large answer, each of them to its end"


class _Leg(msgspec.Struct, frozen=True):
    leg: str
    tier: int
    state: str
    started: float
    text: str = ""
    model: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_token: float | None = None
    ended: float | None = None


class _Route(msgspec.Struct, frozen=True):
    question: str
    legs: list[_Leg]
    trace: msgspec.Raw


def read_routes(path: Path, *, limit: int | None = None) -> tuple[list[RoutingRow], int]:
    """The rows of a file that have both answers, and how many have not: routing rows, or lines of `ask --json`, whose
    routes mostly were cut short by their own verdict. Raises `DataFileError`, also where none is whole."""
    first = next((line for _, line in numbered(lines_of(path), str(path))), b"")
    kind = _kind(first)
    if kind is list:
        raise DataFileError(f"{path}: a bare trace says neither the question nor when legs began; give `ask --json`'s")
    rows = _asked(path, limit) if kind is dict else [*read_rows(path, RoutingRow, limit=limit)]
    whole = [row for row in rows if row is not None and row.large is not None]
    if not whole:
        raise DataFileError(f"{path}: none of {len(rows)} routes is recorded in full: {NEEDED}")
    return whole, len(rows) - len(whole)


def _kind(line: bytes) -> type | None:
    """dict for a line of `ask --json`, list for a bare trace."""
    try:
        value = json.loads(line)
    except ValueError:
        return None  # to be complained of by whoever reads it
    if isinstance(value, list):
        return list
    return dict if isinstance(value, dict) and {"trace", "legs"} <= value.keys() else None


def _asked(path: Path, limit: int | None) -> list[RoutingRow | None]:
    found: list[RoutingRow | None] = []
    for number, line in numbered(lines_of(path), str(path)):
        if len(found) == limit:
            break
        try:
            route = msgspec.json.decode(line, type=_Route)
            trace = Trace.loads(bytes(route.trace).decode())
        except (msgspec.DecodeError, StreamrouteError) as error:
            raise DataFileError(f"{path}: line {number}: {error}") from error
        found.append(_row(f"line {number}", route, trace))
    return found


def _row(name: str, route: _Route, trace: Trace) -> RoutingRow | None:
    """None where a leg that a replay may need is not there to its end."""
    if any(leg.state != "finished" or leg.tier > 1 for leg in route.legs):
        return None
    answers = {leg.tier: leg for leg in route.legs if leg.leg == "answer"}
    probes = [leg for leg in route.legs if leg.leg == "probe"]
    if answers.keys() != {0, 1} or not probes:
        return None
    cheap, large = answers[0], answers[1]
    return RoutingRow(
        id=name,
        question=route.question,
        cheap=CheapLeg(
            answer=cheap.text,
            samples=[leg.text for leg in probes],
            model=cheap.model,
            timing=_timing(cheap, _steps(trace, cheap)),
            sample_timings=[_timing(leg) for leg in probes],
            prompt_tokens=cheap.prompt_tokens,
        ),
        large=LargeLeg(
            answer=large.text,
            model=large.model,
            timing=_timing(large, _steps(trace, large)),
            prompt_tokens=large.prompt_tokens,
        ),
    )


def _timing(leg: _Leg, steps: Sequence[tuple[float, int]] = ()) -> Timing:
    """The core heard of the steps a little later than they came: where there are any, they say when."""
    end = (leg.started if leg.ended is None else leg.ended) - leg.started
    first = end if leg.first_token is None else leg.first_token - leg.started
    if steps:
        first, end = steps[0][0], max(end, steps[-1][0])
    return Timing(first, max(end, first), leg.completion_tokens, list(steps) or None)


def _steps(trace: Trace, leg: _Leg) -> list[tuple[float, int]]:
    """(seconds since the leg's start, characters so far) at every piece of its text."""
    steps, characters = list[tuple[float, int]](), 0
    for at, event in trace.events:
        if isinstance(event, DeltaReceived) and event.leg.tier == leg.tier and event.delta.text:
            characters += len(event.delta.text)
            steps.append((max(at - leg.started, 0.0), characters))
    return steps
