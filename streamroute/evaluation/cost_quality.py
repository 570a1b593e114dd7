"""What does escalating by a score buy? Accuracy against the share of questions that the large model answers.

A curve is (n + 1,): entry k is the accuracy with the k least certain of n questions escalated. Between two entries the
next question is escalated by chance, and so are questions of equal score among themselves: the curve is linear there,
and exact in expectation. Costs are shares of escalated questions; what probes cost comes on top.
"""

from __future__ import annotations

import numpy as np

from streamroute.evaluation.metrics import Bools, Floats
from streamroute.evaluation.selective import by_rank

__all__ = ("RATES", "accuracy_at", "aiq", "apgr", "cost_quality_curve", "cpt")

RATES = tuple(i / 10 for i in range(11))
_ROUNDING = 1e-12


def cost_quality_curve(scores: Floats, cheap: Bools, large: Bools) -> Floats:
    """The curve of escalating by falling score. `cheap` and `large`: whose answers are right; at least one row."""
    gains = by_rank(-scores, large.astype(np.float64) - cheap)
    return np.asarray(cheap.mean() + np.concatenate(([0.0], gains.cumsum())) / len(cheap))


def accuracy_at(curve: Floats, rate: float) -> float:
    """The accuracy with this share of the questions escalated."""
    return float(np.interp(rate, _rates(curve), curve))


def apgr(curve: Floats) -> float | None:
    """Average performance gap recovered (Ong et al. 2024, RouteLLM): the mean over escalation rates of (accuracy
    - cheap) / (large - cheap), here the exact area. Random has 0.5. None where the large model is no better."""
    gap = curve[-1] - curve[0]
    return float((np.trapezoid(curve, _rates(curve)) - curve[0]) / gap) if gap > _ROUNDING else None


def cpt(curve: Floats, share: float) -> float | None:
    """Call-performance threshold (Ong et al. 2024): the least escalation rate that recovers `share` of the gap between
    the models. Random needs `share`. None where the large model is no better."""
    gap = curve[-1] - curve[0]
    if gap <= _ROUNDING:
        return None
    level = curve[0] + share * gap
    k = int(np.argmax(curve >= level - _ROUNDING))
    if k == 0:
        return 0.0
    part = (level - curve[k - 1]) / (curve[k] - curve[k - 1])
    return float((k - 1 + min(1.0, part)) / (len(curve) - 1))


def aiq(curve: Floats) -> float:
    """Average improvement in quality (Hu et al. 2024, RouterBench): the area under the non-decreasing convex hull of
    the curve over costs from 0 to 1. The hull is drawn on the rows it is measured on: a little optimistic."""
    hull: list[tuple[float, float]] = []
    for x, y in zip(_rates(curve).tolist(), np.maximum.accumulate(curve).tolist(), strict=True):
        while len(hull) > 1 and _turns_left(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    xs, ys = zip(*hull, strict=True)
    return float(np.trapezoid(ys, xs))


def _turns_left(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether `b` lies on or below the line from `a` to `c`."""
    return (b[0] - a[0]) * (c[1] - a[1]) >= (b[1] - a[1]) * (c[0] - a[0])


def _rates(curve: Floats) -> Floats:
    return np.linspace(0, 1, len(curve))
