"""An artefact and labelled records, made for tests."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from streamroute.calibration.artefact import (
    Achieved,
    Artefact,
    Binding,
    Promise,
    Rows,
    ScoreFit,
    Target,
    ThresholdFit,
)
from streamroute.calibration.drift import Reference
from streamroute.calibration.recalibrate import Platt
from streamroute.calibration.records import Record
from streamroute.core.types import Features

CREATED = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
BINDING = Binding(
    cheap="small",
    large="big",
    probes=5,
    max_tokens=96,
    temperature=1.0,
    rule="probability",
    theta=0.5,
    judge_sha256="0" * 64,
    stopping="certified",
)


def artefact(**parts: Any) -> Artefact:
    fields: dict[str, Any] = {
        "created": CREATED,
        "target": Target(kind="rate", value=0.3),
        "rows": Rows(fit=40, calibrate=40, held_out=20),
        "score": ScoreFit.of(Platt(1.5, -0.2)),
        "threshold": ThresholdFit(tau=0.4, gamma=0.25, conservative=0.1),
        "certificate": Promise(kind="none", reason="none was asked for"),
        "achieved": Achieved(n=20, rate=0.3, rate_low=0.1, rate_high=0.5, kept=14, kept_wrong=2, base_error=0.4),
        "drift": Reference(edges=(0.5,), shares=(0.7, 0.3), n=40, rate=0.3),
        "binding": BINDING,
    }
    return Artefact(**(fields | parts))


def records(
    n: int, *, seed: int = 0, large: bool = True, features: bool = True, cost: float | None = None
) -> list[Record]:
    """Answers that are wrong with the mean of their disagreement and contradiction; larger ones with a fifth of it. The
    judge's own score is the disagreement."""
    random = np.random.default_rng(seed)
    made = []
    for i in range(n):
        first, second = (float(value) for value in random.random(2))
        risk = (first + second) / 2
        x = Features(disagreement=first, contradiction=second, entropy=float(random.random()), snne=0.5)
        made.append(
            Record(
                id=str(i),
                score=first,
                features=x if features else None,
                wrong=bool(random.random() < risk),
                large_wrong=bool(random.random() < risk / 5) if large else None,
                cost=cost,
                group=str(i),
            )
        )
    return made
