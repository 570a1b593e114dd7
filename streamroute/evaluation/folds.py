"""Cross-fitting: what is fitted to labels is measured on rows that it has not seen, the same folds for everything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from streamroute.calibration.logistic import fit_logistic
from streamroute.calibration.recalibrate import fit_platt
from streamroute.core.types import Features
from streamroute.evaluation.metrics import Bools, Floats, Ints
from streamroute.evaluation.rows import RoutingRow
from streamroute.uncertainty.normalize import normalize

__all__ = ("Predict", "by_question", "folds_by_group", "logistic_out_of_fold", "out_of_fold", "platt_out_of_fold")

Predict = Callable[[Ints], Floats]
"""From rows to the probability of being wrong of each."""


def by_question(rows: Sequence[RoutingRow]) -> tuple[list[str], Ints]:
    """The question of each row, whatever its spelling, and its number: rows of one question are no independent news."""
    questions = [normalize(row.question) or row.question for row in rows]
    _, groups = np.unique(questions, return_inverse=True)
    return questions, np.asarray(groups, dtype=np.int64)


def folds_by_group(groups: Sequence[str], wrong: Bools, folds: int) -> Ints:
    """(n,) the fold of each row, from 0; rows of one group are in one fold, and folds hold equally many groups, give or
    take one, and as alike shares of groups with a wrong row as can be: a fold with many leaves few to the others, and
    what is fitted to those would be off by that. Which is which depends on the names of the groups and on `wrong`, not
    on the order of the rows. There are no more folds than groups."""
    failing = {group for group, bad in zip(groups, wrong.tolist(), strict=True) if bad}
    names = sorted(set(groups), key=lambda name: (name in failing, _draw(name)))
    place = {name: i % folds for i, name in enumerate(names)}
    return np.array([place[group] for group in groups], dtype=np.int64)


def out_of_fold(fit: Callable[[Ints], Predict], wrong: Bools, folds: Ints) -> Floats | None:
    """(n,) what `fit` to the rows of the other folds predicts of each row. None where the other folds of some row lack
    one of the two labels."""
    found = np.empty(len(wrong))
    for fold in np.unique(folds):
        seen, rows = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if not 0 < wrong[seen].sum() < len(seen):
            return None
        found[rows] = fit(seen)(rows)
    return found


def logistic_out_of_fold(features: Sequence[Features], wrong: Bools, folds: Ints) -> Floats | None:
    """(n,) the probability of being wrong that the other folds' monotone logistic fit gives each row. None as above."""

    def fit(seen: Ints) -> Predict:
        score = fit_logistic([features[i] for i in seen], wrong[seen].tolist())
        return lambda rows: np.array([score(features[i]) for i in rows])

    return out_of_fold(fit, wrong, folds)


def platt_out_of_fold(scores: Floats, wrong: Bools, folds: Ints) -> Floats | None:
    """(n,) the probability of being wrong that Platt scaling of a score by the other folds gives each row. None as
    above."""

    def fit(seen: Ints) -> Predict:
        middle, spread = scores[seen].mean(), scores[seen].std()

        def squashed(rows: Ints) -> list[float]:  # the scaling is of the log-odds
            z = (scores[rows] - middle) / spread if spread > 0 else np.zeros(len(rows))
            return [float(p) for p in 0.5 * (1 + np.tanh(z / 2))]

        scaled = fit_platt(squashed(seen), wrong[seen].tolist())
        return lambda rows: np.array([scaled(p) for p in squashed(rows)])

    return out_of_fold(fit, wrong, folds)


def _draw(name: str) -> bytes:
    return hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=16).digest()
