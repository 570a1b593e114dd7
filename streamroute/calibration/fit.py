"""A calibration from its records to its artefact: fit, recalibrate, cut, certify, each on records of its own
(METHOD 6.2)."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from streamroute.calibration.artefact import Achieved, Artefact, Binding, Promise, Rows, ScoreFit, Target, ThresholdFit
from streamroute.calibration.binomial import interval
from streamroute.calibration.certificate import (
    START,
    Certificate,
    NoCertificate,
    conformal,
    fixed_sequence,
    regret,
    sequence_of,
    start_for,
)
from streamroute.calibration.drift import reference_of
from streamroute.calibration.logistic import fit_logistic
from streamroute.calibration.recalibrate import recalibrate
from streamroute.calibration.records import Record, labelled
from streamroute.calibration.splits import Splits, split
from streamroute.calibration.thresholds import (
    TIE,
    Cut,
    Gain,
    budget_cut,
    dice_of,
    escalated_share,
    fit_gain,
    kept_share_cut,
    levels_of,
    rate_cut,
)
from streamroute.core.types import Features

__all__ = ("LEAST_LABELLED", "calibrate", "fit_score", "score_of_probability")

LEAST_LABELLED = 30
"""Labelled records below which every number would be chance."""
CERTIFYING, CUTTING = (0.4, 0.2, 0.4), (0.4, 0.4, 0.2)
"""Shares of the splits where a certificate is asked for, and where the threshold is all that is."""
NOTHING_KEPT = -1.0
HALVINGS = 60

Score = Callable[[Record], float]


def calibrate(
    records: Sequence[Record],
    target: Target,
    *,
    binding: Binding,
    created: datetime.datetime,
    unjudged: int = 0,
    score: Literal["fitted", "judge"] = "fitted",
    seed: int = 0,
) -> Artefact:
    """The threshold that meets `target`, with what it does to records that had no part in it.

    The score is fitted where every labelled record has features, and the judge's own otherwise, or when `score` says
    so. A `rate` or `budget` also uses records without a label, and takes the mean for a cost that is not known.
    `unjudged` is noted. Raises ValueError, saying what is
    missing, for too few labelled records, labels of one kind only, and a target whose costs or labels are not there.
    """
    usable = labelled(records)
    _require(usable, target)
    fitted = score == "fitted" and all(record.features is not None for record in usable)
    parts = _split(usable, certifies=target.kind == "error", fits=fitted, seed=seed)
    fit, score_of = fit_score(parts, fitted=fitted)
    gain = _fit_gain(usable)
    more = [record for record in records if record.wrong is None and record.final]
    spare = [record for record in more if record.features is not None or not fitted]
    cut, promise = _cut(parts, spare, target, score_of, fit=fit, gain=gain)
    seen = [score_of(record) for record in parts.calibrate]
    return Artefact(
        created=created,
        target=target,
        rows=Rows(
            fit=len(parts.fit),
            calibrate=len(parts.calibrate),
            held_out=len(parts.held_out),
            unjudged=unjudged,
            unlabelled=len(records) - len(usable),
        ),
        score=fit,
        threshold=ThresholdFit(tau=cut.tau, gamma=cut.gamma, conservative=min(cut.tau, kept_share_cut(seen, START))),
        certificate=promise,
        achieved=_achieved(parts.held_out, cut, score_of),
        gain_q0=gain.q0,
        gain_q1=gain.q1,
        gain_rows=gain.rows,
        drift=reference_of(seen, rate=escalated_share(seen, Cut(cut.tau))),
        binding=binding,
    )


def _require(usable: Sequence[Record], target: Target) -> None:
    if len(usable) < LEAST_LABELLED:
        raise ValueError(f"{len(usable)} records with a score and a label; at least {LEAST_LABELLED} are needed")
    bad = sum(bool(record.wrong) for record in usable)
    if bad in (0, len(usable)):
        raise ValueError(f"all {len(usable)} labelled answers are {'wrong' if bad else 'right'}: nothing to learn from")
    if target.kind == "budget" and all(record.cost is None for record in usable):
        raise ValueError("a budget needs the `cost` of escalating records, and none has one")
    if target.regret and any(record.large_wrong is None for record in usable):
        missing = sum(record.large_wrong is None for record in usable)
        raise ValueError(f"regret needs `large_wrong` of each record; {missing} of {len(usable)} have none")


def _split(usable: Sequence[Record], *, certifies: bool, fits: bool, seed: int) -> Splits:
    shares = CERTIFYING if certifies else CUTTING
    if not fits:  # what would have taught the weights helps to cut
        shares = (0.0, shares[0] + shares[1], shares[2])
        if certifies:
            shares = (0.0, 0.4, 0.6)
    parts = split(usable, shares, seed=seed)
    if not parts.calibrate or not parts.held_out:
        raise ValueError(f"too few different questions in {len(usable)} records to set some of them apart")
    return parts


def fit_score(parts: Splits, *, fitted: bool) -> tuple[ScoreFit, Score]:
    """The score of the parts' first two, and what gives it to a record: the logistic, recalibrated, where it is to be
    `fitted`, for which every record needs features; the judge's own otherwise."""
    labels = [bool(record.wrong) for record in parts.calibrate]
    if not fitted:
        return ScoreFit.of(recalibrate([record.score for record in parts.calibrate], labels)), _judged
    logistic = fit_logistic([_features(record) for record in parts.fit], [bool(record.wrong) for record in parts.fit])
    raw = [logistic(_features(record)) for record in parts.calibrate]
    fit = ScoreFit.of(recalibrate(raw, labels), logistic)
    combined = fit.combined()
    assert combined is not None
    return fit, lambda record: combined(_features(record))


def _judged(record: Record) -> float:
    return record.score


def _features(record: Record) -> Features:
    assert record.features is not None
    return record.features


def _fit_gain(usable: Sequence[Record]) -> Gain:
    both = [record for record in usable if record.large_wrong is not None]
    return fit_gain([bool(record.wrong) for record in both], [bool(record.large_wrong) for record in both])


def _cut(
    parts: Splits,
    spare: Sequence[Record],
    target: Target,
    score_of: Score,
    *,
    fit: ScoreFit,
    gain: Gain,
) -> tuple[Cut, Promise]:
    seen = [score_of(record) for record in parts.calibrate]
    match target.kind:
        case "rate":
            return rate_cut([*seen, *map(score_of, spare)], target.value), _NOT_ASKED
        case "budget":
            every = [*parts.calibrate, *spare]
            known = [record.cost for record in (*every, *parts.fit) if record.cost is not None]
            usual = math.fsum(known) / len(known) if known else 0.0
            costs = [usual if record.cost is None else record.cost for record in every]
            return budget_cut([score_of(record) for record in every], costs, target.value), _NOT_ASKED
        case "gain":
            return Cut(score_of_probability(fit, gain.threshold(target.value))), _NOT_ASKED
        case "error":
            return _certified(parts, seen, target, score_of)


_NOT_ASKED = Promise(kind="none", reason="none was asked for")


def score_of_probability(fit: ScoreFit, wrong: float) -> float:
    """The highest score in [0, 1] whose probability of being wrong is at most `wrong`; -1 where there is none."""
    if fit.kind == "fitted":
        return NOTHING_KEPT if wrong < 0 else min(1.0, wrong)
    probability = fit.probability_of()
    if probability(0.0) > wrong:
        return NOTHING_KEPT
    if probability(1.0) <= wrong:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle) <= wrong else (low, middle)
    return low


def _certified(parts: Splits, seen: Sequence[float], target: Target, score_of: Score) -> tuple[Cut, Promise]:
    scores = [score_of(record) for record in parts.held_out]
    bad = _bad(parts.held_out, target)
    found: Certificate | NoCertificate
    if target.confidence is None:
        found = conformal(scores, bad, target.value)
    else:
        delta = 1 - target.confidence
        sequence = sequence_of(seen, start=start_for(len(scores), target.value, delta))
        found = fixed_sequence(scores, bad, target.value, delta, sequence)
    if isinstance(found, NoCertificate):
        tau = _estimated([*seen, *scores], _bad(parts.calibrate, target) + bad, target)
        return Cut(tau), Promise(kind="none", alpha=target.value, n=len(bad), reason=found.reason, needed=found.needed)
    return Cut(found.tau), Promise(
        kind=found.kind,
        alpha=found.alpha,
        delta=found.delta,
        n=found.n,
        kept=found.kept,
        bad=found.bad,
        bound=found.bound,
    )


def _bad(records: Sequence[Record], target: Target) -> list[bool]:
    wrong = [bool(record.wrong) for record in records]
    return regret(wrong, [bool(record.large_wrong) for record in records]) if target.regret else wrong


def _estimated(scores: Sequence[float], bad: Sequence[bool], target: Target) -> float:
    """Without a certificate: the highest threshold whose error on all records is what was asked for."""
    levels, place = np.unique(levels_of(scores), return_inverse=True)
    lost = np.bincount(place, weights=np.asarray(bad, dtype=np.float64)).cumsum()
    among = len(scores) if target.confidence is None else np.bincount(place).cumsum()
    good = np.flatnonzero(lost / among <= target.value)
    return float(levels[good[-1]]) if len(good) else NOTHING_KEPT


def _achieved(records: Sequence[Record], cut: Cut, score_of: Score) -> Achieved:
    """Of the held-out records, each decided by dice of its own."""
    escalated = [_escalates(score_of(record), cut, dice_of(record.id.encode(errors="replace"))) for record in records]
    n, count = len(records), sum(escalated)
    kept = [record for record, up in zip(records, escalated, strict=True) if not up]
    wrong = sum(bool(record.wrong) for record in kept)
    rate_low, rate_high = interval(count, n)
    error_low, error_high = interval(wrong, len(kept)) if kept else (None, None)
    decided = list(zip(records, escalated, strict=True))
    labels = [(record.large_wrong if up else record.wrong) for record, up in decided]
    paired = all(record.large_wrong is not None for record in records)
    priced = all(record.cost is not None for record in records)
    return Achieved(
        n=n,
        rate=count / n,
        rate_low=rate_low,
        rate_high=rate_high,
        kept=len(kept),
        kept_wrong=wrong,
        error=wrong / len(kept) if kept else None,
        error_low=error_low,
        error_high=error_high,
        base_error=sum(bool(record.wrong) for record in records) / n,
        accuracy=1 - sum(map(bool, labels)) / n if paired else None,
        large_accuracy=1 - sum(bool(record.large_wrong) for record in records) / n if paired else None,
        cost=math.fsum(record.cost or 0.0 for record, up in decided if up) / n if priced else None,
    )


def _escalates(score: float, cut: Cut, dice: float) -> bool:
    return score > cut.tau + TIE or (abs(score - cut.tau) <= TIE and dice < cut.gamma)
