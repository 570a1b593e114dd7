"""Labelled records: what was known when an answer was judged, and whether it turned out to be wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

import msgspec

from streamroute.core.types import Features

__all__ = ("Record", "decode_record", "encode_record", "known_features", "labelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One judged answer. `score` is the judge's, in [0, 1], `features` are what it was made of, where known.

    `wrong` and `large_wrong` say whether the cheap answer and the larger model's to the same request were wrong, None
    where nobody said. `cost` is the money that escalating this request adds; `escalated`: it was. `final`:
    all probes were judged; the score of an early verdict is not yet the one that the threshold is for. Records of one
    `group` (the same question asked again) stay together when records are split.
    """

    id: str
    score: float
    features: Features | None = None
    wrong: bool | None = None
    large_wrong: bool | None = None
    cost: float | None = None
    escalated: bool = False
    final: bool = True
    group: str = ""


class _Evidence(msgspec.Struct, frozen=True):
    score: float | None = None
    features: dict[str, float | bool | None] | None = None
    samples: int = 0
    expected: int = 0


class _Row(msgspec.Struct, frozen=True):
    id: str | int | None = None
    question: str | None = None
    score: float | None = None
    features: dict[str, float | bool | None] | None = None
    score_bounds: tuple[float, float] | None = None
    evidence: _Evidence | None = None
    wrong: bool | None = None
    correct: bool | None = None
    large_wrong: bool | None = None
    cost: float | None = None
    verdict: str | None = None
    decision: str | None = None
    escalated: bool | None = None


_DECODER = msgspec.json.Decoder(_Row)
_FEATURES = {field.name: field for field in fields(Features)}
_NEEDED = [name for name, field in _FEATURES.items() if field.default is MISSING]
_FLAGS = {name for name, field in _FEATURES.items() if field.type == "bool"}


def decode_record(line: bytes, *, number: int) -> Record | None:
    """The record of one JSON object: {"id"?, "score", "features"?, "wrong" or "correct"?, "large_wrong"?, "cost"?,
    "question"?, "escalated"?}; `score` and `features` may stand in an object "evidence", and a "verdict" or "decision"
    instead of "escalated", as in what `ask --json` prints and gateways reply.

    `number` names a row without an id. None for a row whose answer was not judged (its score is missing or null).
    Unknown fields are ignored. Raises ValueError, naming the field.
    """
    row = _DECODER.decode(line)
    judged = row.evidence or _Evidence()
    score = row.score if row.score is not None else judged.score
    if score is None:
        return None
    if not 0 <= score <= 1:
        raise ValueError(f"`score` is {score}, and must be between 0 and 1")
    if row.wrong is not None and row.correct is not None and row.wrong is row.correct:
        raise ValueError("`wrong` and `correct` contradict each other")
    if row.cost is not None and not (math.isfinite(row.cost) and row.cost >= 0):
        raise ValueError(f"`cost` is {row.cost}, and must not be negative")
    features = row.features if row.features is not None else judged.features
    name = str(number) if row.id is None else str(row.id)
    return Record(
        id=name,
        score=score,
        features=None if features is None else known_features(features),
        wrong=row.wrong if row.correct is None else not row.correct,
        large_wrong=row.large_wrong,
        cost=row.cost,
        escalated="escalate" in (row.verdict, row.decision) if row.escalated is None else row.escalated,
        final=judged.samples >= judged.expected and (row.score_bounds is None or len(set(row.score_bounds)) == 1),
        group=name if row.question is None else row.question,
    )


def encode_record(record: Record) -> bytes:
    """The JSON object that `decode_record` reads, without what is not known."""
    given = {
        "id": record.id,
        "question": record.group,
        "score": record.score,
        "features": None if record.features is None else _known(asdict(record.features)),
        "wrong": record.wrong,
        "large_wrong": record.large_wrong,
        "cost": record.cost,
        "escalated": record.escalated,
    }
    return msgspec.json.encode(_known(given))


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def known_features(values: Mapping[str, Any]) -> Features:
    """Raises ValueError for a name that is no feature, one that is missing, and a number outside [0, 1]."""
    for name, value in values.items():
        if name not in _FEATURES:
            raise ValueError(f"`features` has {name!r}, which is none; there are {', '.join(sorted(_FEATURES))}")
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"`features.{name}` is {value}, and must be between 0 and 1")
    for name in _NEEDED:
        if values.get(name) is None:
            raise ValueError(f"`features.{name}` is missing")
    given: dict[str, Any] = {
        name: bool(value) if name in _FLAGS else float(value) for name, value in values.items() if value is not None
    }
    return Features(**given)


def labelled(records: Iterable[Record]) -> list[Record]:
    """Those of which is known whether the answer was wrong."""
    return [record for record in records if record.wrong is not None]
