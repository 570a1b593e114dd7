"""How well does uncertainty say when the cheap answer is wrong, and what does escalating by it buy (METHOD 7)?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from streamroute.evaluation import metrics, selective
from streamroute.evaluation.cost_quality import RATES, accuracy_at, aiq, apgr, cost_quality_curve, cpt
from streamroute.evaluation.folds import by_question, folds_by_group, platt_out_of_fold
from streamroute.evaluation.judged import Judgement, judge_rows, with_samples
from streamroute.evaluation.methods import FITTED, OURS, Kind, Method, methods_of
from streamroute.evaluation.metrics import Bools, Floats, Interval, Ints
from streamroute.evaluation.resampling import draw_groups, interval_of, resampled_auroc
from streamroute.evaluation.rows import RoutingRow
from streamroute.evaluation.scoring import Progress
from streamroute.nli.batcher import BlockingModel

__all__ = ("Difference", "Figures", "Routed", "RoutingReport", "assess_routing", "evaluate_routing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """Escalating the paired rows by one score. `points` are (escalation rate, accuracy) at 0, 0.1, .. 1."""

    points: tuple[tuple[float, float], ...]
    accuracy_at: dict[str, float]
    apgr: float | None
    cpt50: float | None
    cpt80: float | None
    aiq: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One method on all rows. Figures are None where not defined, all of them where the method is not: its fit may lack
    labels of one kind.

    `ece` is the calibration error of the score after Platt scaling out of fold, the same for every method; `ece_raw`
    that of the score as it is, where it stays within [0, 1]. `probes`, `nli_pairs` and `milliseconds` are means of a
    row, as of a `Method`.
    """

    kind: Kind
    auroc: float | None = None
    auroc_ci: Interval | None = None
    aurc: float | None = None
    auarc: float | None = None
    prr: float | None = None
    ece: float | None = None
    ece_raw: float | None = None
    routed: Routed | None = None
    probes: float
    nli_pairs: float
    milliseconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        routed = self.routed
        return {
            "kind": str(self.kind),
            "auroc": self.auroc,
            "auroc_ci": None if self.auroc_ci is None else list(self.auroc_ci),
            "aurc": self.aurc,
            "auarc": self.auarc,
            "prr": self.prr,
            "ece": self.ece,
            "ece_raw": self.ece_raw,
            **_routed_as_dict(routed),
            "probes": self.probes,
            "nli_pairs": self.nli_pairs,
            "milliseconds": self.milliseconds,
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher the AUROC of one of ours is than that of the best method of another kind, on the same rows.
    `against` was chosen on these rows, which flatters it. The interval resamples questions."""

    method: str
    kind: Kind
    against: str
    auroc: float
    auroc_ci: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingReport:
    """`n` labelled rows, of which `paired` have a labelled large answer; `samples` is how many a row had on average.
    `without_samples` rows were left out for having none. `methods` are by falling AUROC, those without one last.
    `undefined`: methods left out and the rows for which they are not defined. `oracle` knows which answers are right.
    """

    n: int
    questions: int
    paired: int
    samples: float
    folds: int
    without_samples: int
    share_wrong: float
    always_cheap: float | None
    always_large: float | None
    oracle: Routed | None
    methods: dict[str, Figures]
    differences: tuple[Difference, ...]
    undefined: dict[str, int]
    nli_pairs: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: numbers are finite or null."""
        return {
            "n": self.n,
            "questions": self.questions,
            "paired": self.paired,
            "samples": self.samples,
            "folds": self.folds,
            "without_samples": self.without_samples,
            "share_wrong": self.share_wrong,
            "always_cheap": self.always_cheap,
            "always_large": self.always_large,
            "oracle": None if self.oracle is None else _routed_as_dict(self.oracle),
            "methods": {name: each.as_dict() for name, each in self.methods.items()},
            "differences": [
                {
                    "method": each.method,
                    "kind": str(each.kind),
                    "against": each.against,
                    "auroc": each.auroc,
                    "auroc_ci": None if each.auroc_ci is None else list(each.auroc_ci),
                }
                for each in self.differences
            ],
            "undefined": self.undefined,
            "nli_pairs": self.nli_pairs,
            "seconds": self.seconds,
        }


def _routed_as_dict(routed: Routed | None) -> dict[str, Any]:
    """The same names whether there is something to say or not."""
    return {
        "points": None if routed is None else [list(point) for point in routed.points],
        "accuracy_at": None if routed is None else routed.accuracy_at,
        "apgr": None if routed is None else routed.apgr,
        "cpt50": None if routed is None else routed.cpt50,
        "cpt80": None if routed is None else routed.cpt80,
        "aiq": None if routed is None else routed.aiq,
    }


def evaluate_routing(
    model: BlockingModel,
    rows: Sequence[RoutingRow],
    *,
    samples: int | None = None,
    folds: int = 5,
    progress: Progress = lambda done, total: None,
) -> RoutingReport:
    """Judges every row by its first `samples` samples, or all, and compares the judge with everything else.

    `rows`: at least one, all labelled. Rows without samples are left out where others have some and `samples` is not
    0; where none has, answers are judged alone. Blocks. Raises `ScorerError`.
    """
    cut = [row if samples is None else with_samples(row, samples) for row in rows]
    kept = [row for row in cut if row.cheap.samples] or cut
    judgement = judge_rows(model, kept, progress=progress)
    return assess_routing(kept, judgement, folds=folds, without_samples=len(cut) - len(kept))


def assess_routing(
    rows: Sequence[RoutingRow], judgement: Judgement, *, folds: int = 5, without_samples: int = 0
) -> RoutingReport:
    """The report on rows that are judged already, in the same order."""
    wrong = np.array([not row.cheap.correct for row in rows])
    questions, groups = by_question(rows)
    fold = folds_by_group(questions, wrong, folds)
    methods = methods_of(rows, judgement, wrong, fold)
    pairing = _Pairing.of(rows)
    draws = draw_groups(groups)
    figures = {each.name: _figures(each, wrong, draws, fold, pairing) for each in methods if not each.undefined}
    ranked = dict(
        sorted(figures.items(), key=lambda item: -1 if item[1].auroc is None else item[1].auroc, reverse=True)
    )
    return RoutingReport(
        n=len(rows),
        questions=len(set(questions)),
        paired=len(pairing.rows),
        samples=sum(len(row.cheap.samples) for row in rows) / len(rows),
        folds=len(np.unique(fold)),
        without_samples=without_samples,
        share_wrong=float(wrong.mean()),
        always_cheap=_share(pairing.cheap),
        always_large=_share(pairing.large),
        oracle=pairing.routed(pairing.gain) if len(pairing.rows) else None,
        methods=ranked,
        differences=_differences(methods, ranked, wrong, draws),
        undefined={each.name: each.undefined for each in methods if each.undefined},
        nli_pairs=judgement.passes,
        seconds=judgement.seconds,
    )


@dataclass(frozen=True, slots=True)
class _Pairing:
    """The rows of which both answers have a label, and whose are right."""

    rows: Ints
    cheap: Bools
    large: Bools

    @classmethod
    def of(cls, rows: Sequence[RoutingRow]) -> _Pairing:
        both = [(i, row.cheap.correct, row.large.correct) for i, row in enumerate(rows) if row.paired and row.large]
        return cls(
            np.array([i for i, _, _ in both], dtype=np.int64),
            np.array([right for _, right, _ in both], dtype=np.bool_),
            np.array([right for _, _, right in both], dtype=np.bool_),
        )

    @property
    def gain(self) -> Floats:
        """What escalating each is worth."""
        return self.large.astype(np.float64) - self.cheap

    def routed(self, scores: Floats) -> Routed:
        """`scores` are of these rows."""
        curve = cost_quality_curve(scores, self.cheap, self.large)
        return Routed(
            points=tuple((rate, accuracy_at(curve, rate)) for rate in RATES),
            accuracy_at={str(rate): accuracy_at(curve, rate) for rate in (0.3, 0.5)},
            apgr=apgr(curve),
            cpt50=cpt(curve, 0.5),
            cpt80=cpt(curve, 0.8),
            aiq=aiq(curve),
        )


def _figures(method: Method, wrong: Bools, draws: Ints, folds: Ints, pairing: _Pairing) -> Figures:
    scores = method.scores
    costs = Figures(
        kind=method.kind, probes=method.probes, nli_pairs=method.nli_pairs, milliseconds=method.milliseconds
    )
    if scores is None:
        return costs
    calibrated = platt_out_of_fold(scores, wrong, folds)
    return replace(
        costs,
        auroc=metrics.auroc(scores, wrong),
        auroc_ci=interval_of(resampled_auroc(scores, wrong, draws)),
        aurc=selective.aurc(scores, wrong),
        auarc=selective.auarc(scores, wrong),
        prr=selective.prediction_rejection_ratio(scores, wrong),
        ece=None if calibrated is None else selective.calibration_error(calibrated, wrong),
        ece_raw=selective.calibration_error(scores, wrong),
        routed=pairing.routed(scores[pairing.rows]) if len(pairing.rows) else None,
    )


def _differences(
    methods: Sequence[Method], ranked: dict[str, Figures], wrong: Bools, draws: Ints
) -> tuple[Difference, ...]:
    scores = {each.name: each.scores for each in methods if each.scores is not None}
    areas = {name: each.auroc for name, each in ranked.items() if each.auroc is not None}
    found = []
    for kind in (Kind.BASELINE, Kind.MEASURE, Kind.LEARNED):
        best = next((name for name in areas if ranked[name].kind is kind), None)
        for name in (OURS, FITTED):
            if best is None or name not in areas:
                continue
            gains = resampled_auroc(scores[name], wrong, draws) - resampled_auroc(scores[best], wrong, draws)
            found.append(Difference(name, kind, best, areas[name] - areas[best], interval_of(gains)))
    return tuple(found)


def _share(right: Bools) -> float | None:
    return float(right.mean()) if len(right) else None
