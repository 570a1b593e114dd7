"""Labelled records: what was known when an answer was judged, and whether it turned out to be wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import msgspec

from streamroute.core.types import Features

__all__ = ("Record", "decode_record", "known_features", "labelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One judged answer. `score` is the judge's, in [0, 1], `features` are what it was made of, where known.

    `wrong` and `large_wrong` say whether the cheap answer and the larger model's to the same request were wrong, None
    where nobody said. `cost` is the money that escalating this request adds. Records of one `group` (the same question
    asked again) stay together when records are split.
    """

    id: str
    score: float
    features: Features | None = None
    wrong: bool | None = None
    large_wrong: bool | None = None
    cost: float | None = None
    group: str = ""


class _Evidence(msgspec.Struct, frozen=True):
    score: float | None = None
    features: dict[str, float | bool | None] | None = None


class _Row(msgspec.Struct, frozen=True):
    id: str | int | None = None
    question: str | None = None
    score: float | None = None
    features: dict[str, float | bool | None] | None = None
    evidence: _Evidence | None = None
    wrong: bool | None = None
    correct: bool | None = None
    large_wrong: bool | None = None
    cost: float | None = None


_DECODER = msgspec.json.Decoder(_Row)
_FEATURES = {field.name for field in fields(Features)}
_NEEDED = ("disagreement", "contradiction", "entropy", "snne")
_FLAGS = ("minority", "identical")


def decode_record(line: bytes, *, number: int) -> Record | None:
    """The record of one JSON object: {"id"?, "score", "features"?, "wrong" or "correct"?, "large_wrong"?, "cost"?,
    "question"?}; `score` and `features` may stand in an object "evidence", as in a gateway's replies.

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
        group=name if row.question is None else row.question,
    )


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
