"""What is compared: each way to score the same judged rows by, and what it costs."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamroute.evaluation.baselines import BASELINES, NEEDS_SAMPLES
from streamroute.evaluation.folds import logistic_out_of_fold
from streamroute.evaluation.judged import Judged, Judgement
from streamroute.evaluation.learned import LEARNED, learned_out_of_fold
from streamroute.evaluation.metrics import Bools, Floats, Ints
from streamroute.evaluation.rows import RoutingRow
from streamroute.uncertainty.measures.families import Family, family

__all__ = ("EARLY", "FITTED", "OURS", "Kind", "Method", "methods_of")

OURS = "streamroute"
FITTED = "streamroute-fitted"
EARLY = "streamroute-early"

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
    LEARNED = "learned"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Method:
    """`scores` (n,): of each row, higher is less certain; None where they are not defined for all. `undefined`: for how
    many they are not. `probes` and `nli_pairs`: the samples and the comparisons that it needs, on average of a row;
    what the cheap model says of its own answer is not counted. `milliseconds`: what those comparisons took, at the
    pace of this judgement, everything that is computed from them included; 0 where no model is asked. `taken` (n,): how
    many samples each row took, None where all took as many as `probes` says."""

    name: str
    kind: Kind
    scores: Floats | None
    undefined: int
    probes: float
    nli_pairs: float
    milliseconds: float
    taken: Ints | None = None


def methods_of(rows: Sequence[RoutingRow], judgement: Judgement, wrong: Bools, folds: Ints) -> list[Method]:
    """Ours, every measure and baseline that is defined for some row, and the learned routers."""
    judged = judgement.rows
    samples = _mean([len(row.cheap.samples) for row in rows])
    clustering = _mean([each.evidence.nli_pairs for each in judged])
    matrix = _mean([each.pairs for each in judged])
    against_answer = _mean([each.answer_pairs for each in judged])
    pace = 1_000 * judgement.seconds / judgement.passes if judgement.passes else 0.0

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

    def method(
        name: str, kind: Kind, scores: Floats | None, costs: tuple[float, float] = (0.0, 0.0), undefined: int = 0
    ) -> Method:
        probes, nli_pairs = costs
        return Method(
            name=name,
            kind=kind,
            scores=scores,
            undefined=undefined,
            probes=probes,
            nli_pairs=nli_pairs,
            milliseconds=nli_pairs * pace,
        )

    scores = np.array([each.evidence.score for each in judged])
    found = [
        method(OURS, Kind.OURS, scores, (samples, clustering)),
        method(FITTED, Kind.OURS, _fitted(judged, wrong, folds), (samples, clustering)),
    ]
    for name in judged[0].measures:
        values, undefined = _defined([each.measures[name] for each in judged])
        if undefined < len(rows):
            found.append(method(name, Kind.MEASURE, values, cost(name), undefined))
    for name, baseline in BASELINES.items():
        values, undefined = _defined([baseline(row.cheap) for row in rows])
        if undefined < len(rows):
            costs = (samples if name in NEEDS_SAMPLES else 0.0, 0.0)
            found.append(method(name, Kind.BASELINE, values, costs, undefined))
    for name, read in LEARNED.items():
        found.append(method(name, Kind.LEARNED, learned_out_of_fold(read(rows), wrong, folds)))
    return found


def _fitted(judged: Sequence[Judged], wrong: Bools, folds: Ints) -> Floats | None:
    features = [each.evidence.features for each in judged]
    known = [each for each in features if each is not None]
    return logistic_out_of_fold(known, wrong, folds) if len(known) == len(features) else None


def _defined(values: Sequence[float | None]) -> tuple[Floats | None, int]:
    """All of them, or None where some row lacks one, and how many do."""
    known = [value for value in values if value is not None]
    undefined = len(values) - len(known)
    return (None if undefined else np.array(known, dtype=np.float64)), undefined


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)
