"""What is compared: each way to score the same judged rows by, and what it costs."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamroute.evaluation.baselines import BASELINES, NEEDS_SAMPLES
from streamroute.evaluation.folds import logistic_out_of_fold
from streamroute.evaluation.judged import Judged
from streamroute.evaluation.metrics import Bools, Floats, Ints
from streamroute.evaluation.rows import RoutingRow
from streamroute.uncertainty.measures.families import Family, family

__all__ = ("FITTED", "OURS", "Kind", "Method", "methods_of")

OURS = "streamroute"
FITTED = "streamroute-fitted"

_BY_CLUSTERS = frozenset(
    (
        "discrete-se",
        "discrete-se-normalised",
        "posterior-se",
        "num-sets",
        "rao-se",
        "kuhn-se",
        "polygraph-se",
    )
)
_BY_WORDS = ("rouge-l", "jaccard")


class Kind(enum.StrEnum):
    OURS = "ours"
    MEASURE = "measure"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Method:
    """`scores` (n,): of each row, higher is less certain; None where they are not defined for all. `undefined`: for how
    many they are not. `probes` and `nli_pairs`: what it needs, on average of a row."""

    name: str
    kind: Kind
    scores: Floats | None
    undefined: int
    probes: float
    nli_pairs: float


def methods_of(rows: Sequence[RoutingRow], judged: Sequence[Judged], wrong: Bools, folds: Ints) -> list[Method]:
    """Ours, every measure that is defined for some row, and the baselines."""
    samples = _mean([len(row.cheap.samples) for row in rows])
    clustering = _mean([each.evidence.nli_pairs for each in judged])
    matrix = _mean([each.pairs for each in judged])
    against_answer = _mean([each.answer_pairs for each in judged])

    def cost(name: str) -> tuple[float, float]:
        match family(name):
            case Family.ALONE:
                return 0.0, 0.0
            case _ if name.endswith(_BY_WORDS):
                return samples, 0.0
            case Family.MEANINGS:
                return samples, clustering if name in _BY_CLUSTERS else 0.0
            case Family.ANSWER:
                return samples, against_answer
        return samples, matrix

    scores = np.array([each.evidence.score for each in judged])
    fitted = _fitted(judged, wrong, folds)
    found = [
        Method(name=OURS, kind=Kind.OURS, scores=scores, undefined=0, probes=samples, nli_pairs=clustering),
        Method(name=FITTED, kind=Kind.OURS, scores=fitted, undefined=0, probes=samples, nli_pairs=clustering),
    ]
    for name in judged[0].measures:
        values = [each.measures[name] for each in judged]
        if any(value is not None for value in values):
            found.append(_method(name, Kind.MEASURE, values, *cost(name)))
    for name, baseline in BASELINES.items():
        values = [baseline(row.cheap) for row in rows]
        if any(value is not None for value in values):
            found.append(_method(name, Kind.BASELINE, values, samples if name in NEEDS_SAMPLES else 0.0, 0.0))
    return found


def _fitted(judged: Sequence[Judged], wrong: Bools, folds: Ints) -> Floats | None:
    features = [each.evidence.features for each in judged]
    known = [each for each in features if each is not None]
    return logistic_out_of_fold(known, wrong, folds) if len(known) == len(features) else None


def _method(name: str, kind: Kind, values: Sequence[float | None], probes: float, nli_pairs: float) -> Method:
    known = [value for value in values if value is not None]
    missing = len(values) - len(known)
    scores = np.array(known, dtype=np.float64) if not missing else None
    return Method(name=name, kind=kind, scores=scores, undefined=missing, probes=probes, nli_pairs=nli_pairs)


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)
