"""What a client sees where a leg of a kind ends in a way: the table that the matrix is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tests.gateway.faults.table import PARTS, TEXT, End

Where = Literal["answer", "probe", "probes", "large", "alone"]
"""The leg that the fault is on: the cheap answer, one of its probes, all of them, the larger tier's answer after an
escalation, or the answer of a tier that was asked for by itself."""
Mode = Literal["hold", "retract", "whole"]
"""Streamed and held, streamed and shown at once, or not streamed."""

LARGE_PARTS = ("It is", " Melbourne 🐨.")
LARGE = "".join(LARGE_PARTS)


@dataclass(frozen=True)
class Expected:
    """`text` is what stands at the end, of the tier `tier`. `reason` is the verdict's. `broke`: an error instead of an
    end, after some text or, with `text` empty, in place of it. `withdrawn`: what was shown and taken back."""

    text: str
    tier: str
    reason: str
    broke: bool = False
    withdrawn: tuple[str, ...] = ()


HALF = PARTS[0]
AGREE, DISAGREE = "agree", "disagree"

KEPT = Expected(TEXT, "cheap", AGREE)
ESCALATED = Expected(LARGE, "large", DISAGREE)

_ANY: Mapping[tuple[End, Where], Expected] = {
    (End.NEVER, "answer"): Expected(LARGE, "large", "answer_failed"),
    (End.NEVER, "probe"): KEPT,
    (End.NEVER, "probes"): Expected(TEXT, "cheap", "no_evidence"),
    (End.NEVER, "large"): Expected(TEXT, "cheap", "escalation_failed"),
    (End.NEVER, "alone"): Expected("", "large", "tier_asked", broke=True),
    (End.TORN, "answer"): Expected(LARGE, "large", "answer_failed"),
    (End.TORN, "probe"): KEPT,
    (End.TORN, "probes"): Expected(TEXT, "cheap", "no_evidence"),
    (End.TORN, "large"): Expected(HALF, "large", DISAGREE, broke=True),
    (End.TORN, "alone"): Expected(HALF, "large", "tier_asked", broke=True),
    (End.LATE, "answer"): Expected(LARGE, "large", "answer_failed"),
    (End.LATE, "probe"): KEPT,
    (End.LATE, "probes"): KEPT,
    (End.LATE, "large"): Expected(LARGE, "large", DISAGREE, broke=True),
    (End.LATE, "alone"): Expected(LARGE, "large", "tier_asked", broke=True),
    (End.WHOLE, "answer"): KEPT,
    (End.WHOLE, "probe"): KEPT,
    (End.WHOLE, "probes"): KEPT,
    (End.WHOLE, "large"): ESCALATED,
    (End.WHOLE, "alone"): Expected(LARGE, "large", "tier_asked"),
    (End.EMPTY, "answer"): Expected(LARGE, "large", "answer_empty"),
    (End.EMPTY, "probe"): KEPT,
    (End.EMPTY, "probes"): ESCALATED,
    (End.EMPTY, "large"): Expected("", "large", DISAGREE),
    (End.EMPTY, "alone"): Expected("", "large", "tier_asked"),
}

_SHOWN: Mapping[tuple[End, Where], tuple[str, ...]] = {
    (End.TORN, "answer"): (HALF,),
    (End.LATE, "answer"): (TEXT,),
    (End.LATE, "large"): (TEXT,),
    (End.NEVER, "large"): (TEXT,),
    (End.TORN, "large"): (TEXT,),
    (End.WHOLE, "large"): (TEXT,),
    (End.EMPTY, "large"): (TEXT,),
    (End.EMPTY, "probes"): (TEXT,),
}
"""What `retract` shows and takes back; what is held was never shown."""


def expected(end: End, where: Where, mode: Mode) -> Expected:
    found = _ANY[end, where]
    return replace(found, withdrawn=_SHOWN.get((end, where), ())) if mode == "retract" else found
