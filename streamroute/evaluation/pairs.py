"""How well a judge tells whether two answers to one question say the same: the task that routing really sets it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamroute.evaluation import metrics
from streamroute.evaluation.asking import Answers, Progress, ask
from streamroute.evaluation.metrics import BestThreshold, Interval
from streamroute.evaluation.rows import PairRow
from streamroute.nli.batcher import BlockingModel
from streamroute.uncertainty.base import Pair, Relations
from streamroute.uncertainty.clustering import Rule
from streamroute.uncertainty.extract import numbers
from streamroute.uncertainty.gist import gist
from streamroute.uncertainty.guards import same
from streamroute.uncertainty.likeness import contained, likeness, mean_entailment
from streamroute.uncertainty.normalize import token_f1, tokens

__all__ = (
    "PairScore",
    "PairsReport",
    "alike",
    "assess_pairs",
    "entailed",
    "evaluate_pairs",
    "guarded",
    "pairs_of",
    "token_overlap",
)

PairScore = Callable[[PairRow, Relations], float]
"""How alike two answers are, from the row and what the model said of it: higher is more alike, in any unit."""

THETA = 0.5
"""The clustering rule's own threshold."""


def alike(row: PairRow, relations: Relations) -> float:
    """The judge's graded similarity, in [0, 1]: what the model says, and the words that both answers hold."""
    return likeness(relations, contained(tokens(row.a), tokens(row.b), frozenset(tokens(row.question))))


def entailed(row: PairRow, relations: Relations) -> float:
    """(e + e') / 2 of both directions, in [0, 1]: the model alone."""
    return mean_entailment(relations)


def guarded(row: PairRow, relations: Relations) -> float:
    """The graded similarity of clustering: 1 or 0 where spelling, numbers or stance settle it, else `alike`; here of
    the whole answers, there of their claims."""
    a, b = (gist(text, row.question) for text in (row.a, row.b))
    asked, given = frozenset(tokens(row.question)), frozenset(numbers(row.question))
    settled = same(a, b, asked=asked, given=given)
    return alike(row, relations) if settled is None else float(settled)


def token_overlap(row: PairRow, relations: Relations) -> float:
    """Token F1 of the two answers, in [0, 1]: the baseline without a model."""
    return token_f1(tokens(row.a), tokens(row.b))


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsReport:
    """`n` pairs ranked by one score, with what it has to beat, and the clustering rule's yes or no beside it.

    Areas and gains are None where all rows are of one kind, and so is the share merged of a kind without rows.
    `gain_over_token_f1` is `auroc` less `auroc_token_f1`; its interval resamples both on the same rows. Intervals hold
    95 %. `rule_*`: the rule on the two relations alone, without guards, at its default threshold.
    """

    n: int
    share_equivalent: float
    auroc: float | None
    auroc_ci: Interval | None
    average_precision: float | None
    best_threshold: BestThreshold
    auroc_guarded: float | None
    auroc_entailment: float | None
    auroc_token_f1: float | None
    gain_over_token_f1: float | None
    gain_over_token_f1_ci: Interval | None
    rule_accuracy: float
    rule_merges_equal: float | None
    rule_merges_unequal: float | None
    seconds: float
    pairs_per_second: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, under the same names."""
        return asdict(self) | {"best_threshold": self.best_threshold._asdict()}


def evaluate_pairs(
    model: BlockingModel,
    rows: Sequence[PairRow],
    *,
    score: PairScore = alike,
    progress: Progress = lambda done: None,
) -> PairsReport:
    """Ask `model` about every row and rank the rows by `score`. Blocks. Raises `ScorerError`."""
    return assess_pairs(rows, ask(model, pairs_of(rows), progress=progress), score=score)


def pairs_of(rows: Sequence[PairRow]) -> list[Pair]:
    """What the model is asked."""
    return [Pair(row.question, row.a, row.b) for row in rows]


def assess_pairs(rows: Sequence[PairRow], answers: Answers, *, score: PairScore = alike) -> PairsReport:
    """The report on answers that are there already. `rows`: at least one, in the order of the answers."""
    both = list(zip(rows, answers.relations, strict=True))
    equal = np.array([row.equivalent for row in rows])
    merged = np.array([Rule.PROBABILITY.holds(*relations, THETA) for _, relations in both])
    ranked, settled, model_alone, overlap = (
        np.array([each(row, relations) for row, relations in both], dtype=np.float64)
        for each in (score, guarded, entailed, token_overlap)
    )
    return PairsReport(
        n=len(rows),
        share_equivalent=float(equal.mean()),
        auroc=metrics.auroc(ranked, equal),
        auroc_ci=metrics.bootstrap_interval(metrics.auroc, ranked, equal),
        average_precision=metrics.average_precision(ranked, equal),
        best_threshold=metrics.best_threshold(ranked, equal),
        auroc_guarded=metrics.auroc(settled, equal),
        auroc_entailment=metrics.auroc(model_alone, equal),
        auroc_token_f1=metrics.auroc(overlap, equal),
        gain_over_token_f1=_gain(ranked, overlap, equal),
        gain_over_token_f1_ci=metrics.bootstrap_interval(_gain, ranked, overlap, equal),
        rule_accuracy=float((merged == equal).mean()),
        rule_merges_equal=_share(merged[equal]),
        rule_merges_unequal=_share(merged[~equal]),
        seconds=answers.seconds,
        pairs_per_second=answers.pairs_per_second,
    )


def _gain(scores: metrics.Floats, baseline: metrics.Floats, positive: metrics.Bools) -> float | None:
    better, worse = metrics.auroc(scores, positive), metrics.auroc(baseline, positive)
    return None if better is None or worse is None else better - worse


def _share(chosen: npt.NDArray[np.bool_]) -> float | None:
    return float(chosen.mean()) if chosen.size else None
