"""Fits the monotone logistic score: ridge-penalised maximum likelihood under non-negative weights (METHOD 2.4).

The score without labels is one of the features, and the least penalised: a hundred labels say how probable an error is
at each value of it, a thousand whether another mix of features ranks better.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamroute.core.types import Features
from streamroute.uncertainty.fitted import FEATURES, Logistic, value_of

__all__ = ("fit_logistic",)

DEFAULT_SHARE = 0.01
"""Of the penalty, what the weight of the default score pays."""
SWEEPS = 500
TOLERANCE = 1e-9
Floats = npt.NDArray[np.float64]


def fit_logistic(
    features: Sequence[Features], wrong: Sequence[bool], *, l2: float = 30.0, names: Sequence[str] = FEATURES
) -> Logistic:
    """The score that makes `wrong` likeliest, with `l2` / 2 times the squared weights of the standardised features off.

    Of `names`, a feature that some row does not know, or that never varies, is left out. Raises ValueError for another
    number of labels than rows, and unless both labels occur.
    """
    labels = np.asarray(wrong, dtype=np.float64)
    if len(labels) != len(features):
        raise ValueError(f"{len(labels)} labels for {len(features)} rows")
    if not 0 < labels.sum() < len(labels):
        raise ValueError("a fit needs right and wrong answers, and there is only one kind")
    known: dict[str, Floats] = {}
    for name in names:
        values = [value_of(x, name) for x in features]
        column = np.array([np.nan if value is None else value for value in values])
        if np.isfinite(column).all() and np.ptp(column) > 0:
            known[name] = column
    if not known:
        rate = labels.mean()
        return Logistic(float(np.log(rate / (1 - rate))), {})
    columns = np.stack(list(known.values()), axis=1)
    mean, spread = columns.mean(axis=0), columns.std(axis=0)
    penalty = np.array([l2 * (DEFAULT_SHARE if name == "default" else 1.0) for name in known])
    intercept, weights = _minimise((columns - mean) / spread, labels, penalty)
    raw = weights / spread
    return Logistic(
        float(intercept - raw @ mean),
        {name: float(w) for name, w in zip(known, raw, strict=True) if w > 0},
        {name: float(m) for name, m, w in zip(known, mean, raw, strict=True) if w > 0},
    )


def _minimise(x: Floats, labels: Floats, weight_penalty: Floats) -> tuple[float, Floats]:
    """Cyclic coordinate descent: the loss is convex, and so is each step's bound on it, so it cannot rise."""
    design = np.concatenate((np.ones((len(x), 1)), x), axis=1)
    theta = np.zeros(design.shape[1])
    theta[0] = np.log(labels.mean() / (1 - labels.mean()))
    curvature = 0.25 * (design**2).sum(axis=0)  # of the loss, whatever theta
    penalty = np.concatenate(([0.0], weight_penalty))
    z = design @ theta
    for _ in range(SWEEPS):
        moved = 0.0
        for j in range(len(theta)):
            slope = design[:, j] @ (_sigmoid(z) - labels) + penalty[j] * theta[j]
            step = theta[j] - slope / (curvature[j] + penalty[j])
            target = step if j == 0 else max(0.0, step)
            z += design[:, j] * (target - theta[j])
            moved = max(moved, abs(target - theta[j]))
            theta[j] = target
        if moved < TOLERANCE:
            break
    return float(theta[0]), theta[1:]


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(z / 2)))
