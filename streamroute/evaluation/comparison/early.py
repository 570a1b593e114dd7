"""Ours with early stopping: samples are drawn one by one, and no more once one meaning leads for certain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamroute.evaluation.judged import Judgement
from streamroute.evaluation.methods import EARLY, Kind, Method
from streamroute.uncertainty.stopping import AdaptiveConsistency

__all__ = ("early_stopping",)

RULE = AdaptiveConsistency(0.5, 0.8)
"""When it stops does not depend on the limit, so that the score at the stop can be held against any."""


def early_stopping(prefixes: Sequence[Judgement]) -> Method:
    """The default score at the stop. `prefixes[j]` judged the same rows by their first j + 1 samples."""
    rows = range(len(prefixes[0].rows))
    taken = np.array([_stop([prefix.rows[i].evidence.sizes for prefix in prefixes]) for i in rows])
    ends = [prefixes[taken[i] - 1].rows[i].evidence for i in rows]
    last = prefixes[-1]
    pairs = float(np.mean([end.nli_pairs for end in ends]))
    return Method(
        name=EARLY,
        kind=Kind.OURS,
        scores=np.array([end.score for end in ends]),
        undefined=0,
        probes=float(taken.mean()),
        nli_pairs=pairs,
        milliseconds=1_000 * pairs * last.seconds / last.passes if last.passes else 0.0,
        taken=taken,
    )


def _stop(sizes: Sequence[tuple[int, ...]]) -> int:
    """After how many samples, of which each has made clusters so large."""
    return next((j for j, each in enumerate(sizes, start=1) if RULE.sure(each)), len(sizes))
