"""How well a judge tells entailment, neutrality and contradiction apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamroute.evaluation import metrics
from streamroute.evaluation.asking import Answers, Progress, ask
from streamroute.evaluation.metrics import ClassScores, Interval
from streamroute.evaluation.rows import NliRow
from streamroute.nli.batcher import BlockingModel
from streamroute.nli.manifest import LABELS
from streamroute.uncertainty.base import Pair, Relations

__all__ = ("NliReport", "assess_nli", "evaluate_nli", "nli_pairs", "predicted")


@dataclass(frozen=True, slots=True, kw_only=True)
class NliReport:
    """Three-way classification of `n` rows. `classes` and both axes of `confusion` (rows: right, columns: predicted)
    are in the order of `LABELS`; `by_source` is the accuracy on each corpus, empty where the rows name none."""

    n: int
    accuracy: float
    accuracy_ci: Interval | None
    classes: tuple[ClassScores, ...]
    macro_f1: float | None
    confusion: tuple[tuple[int, ...], ...]
    ece: float
    brier: float
    by_source: Mapping[str, float]
    seconds: float
    pairs_per_second: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: everything above, with the scores of the classes by label."""
        by_label = dict(zip(LABELS, self.classes, strict=True))
        return {
            "n": self.n,
            "accuracy": self.accuracy,
            "accuracy_ci": self.accuracy_ci,
            "macro_f1": self.macro_f1,
            "precision": {label: each.precision for label, each in by_label.items()},
            "recall": {label: each.recall for label, each in by_label.items()},
            "f1": {label: each.f1 for label, each in by_label.items()},
            "confusion": {"labels": LABELS, "counts": self.confusion},
            "ece": self.ece,
            "brier": self.brier,
            "by_source": dict(self.by_source),
            "seconds": self.seconds,
            "pairs_per_second": self.pairs_per_second,
        }


def evaluate_nli(model: BlockingModel, rows: Sequence[NliRow], *, progress: Progress = lambda done: None) -> NliReport:
    """Ask `model` about every row and compare with its label. Blocks. Raises `ScorerError`."""
    return assess_nli(rows, ask(model, nli_pairs(rows), progress=progress))


def nli_pairs(rows: Sequence[NliRow]) -> list[Pair]:
    """What the model is asked: the forward relation of each is compared with the label."""
    return [Pair("", row.premise, row.hypothesis) for row in rows]


def predicted(relations: Sequence[Relations]) -> npt.NDArray[np.int64]:
    """(n,) the most likely class of each forward relation, as its place in `LABELS`."""
    return np.asarray(_probabilities(relations).argmax(axis=1), dtype=np.int64)


def assess_nli(rows: Sequence[NliRow], answers: Answers) -> NliReport:
    """The report on answers that are there already. `rows`: at least one, in the order of the answers."""
    probabilities = _probabilities(answers.relations)
    guess = predicted(answers.relations)
    gold = np.array([LABELS.index(row.label) for row in rows], dtype=np.int64)
    confusion = metrics.confusion_matrix(gold, guess, len(LABELS))
    classes = metrics.class_scores(confusion)
    return NliReport(
        n=len(rows),
        accuracy=metrics.accuracy(gold, guess),
        accuracy_ci=metrics.bootstrap_interval(metrics.accuracy, gold, guess),
        classes=classes,
        macro_f1=metrics.macro_f1(classes),
        confusion=tuple(tuple(map(int, line)) for line in confusion),
        ece=metrics.expected_calibration_error(probabilities, gold),
        brier=metrics.brier(probabilities, gold),
        by_source=_by_source(rows, gold == guess),
        seconds=answers.seconds,
        pairs_per_second=answers.pairs_per_second,
    )


def _probabilities(relations: Sequence[Relations]) -> npt.NDArray[np.float64]:
    return np.array([each.forward for each in relations], dtype=np.float64)


def _by_source(rows: Sequence[NliRow], right: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Rows without a source stand under "" beside those with one."""
    names = np.array([row.source or "" for row in rows])
    if not names.astype(bool).any():
        return {}
    return {str(name): float(right[names == name].mean()) for name in np.unique(names)}
