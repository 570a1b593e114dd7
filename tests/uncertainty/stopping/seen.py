"""Evidence and snapshots as the stopping policies see them, without a judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from streamroute.core.policy import Snapshot
from streamroute.core.types import Evidence


def evidence(
    assignment: Sequence[int], *, own: int | None = 0, score: float = 0.5, low: float = 0.0, high: float = 1.0
) -> Evidence:
    """After probes of those clusters; `own` is the answer's, None where it is not judged."""
    sizes = Counter(assignment) + Counter([] if own is None else [own])
    agreement = None if own is None or not assignment else list(assignment).count(own) / len(assignment)
    return Evidence(
        samples=len(assignment),
        expected=8,
        score=score,
        low=low,
        high=high,
        sizes=tuple(sizes[c] for c in sorted(sizes)),
        assignment=tuple(assignment),
        answer_cluster=own,
        agreement=agreement,
    )


def snapshot(found: Evidence | None, *, pending: int, settled: bool = False) -> Snapshot:
    return Snapshot(
        tier=0, last_tier=1, evidence=found, pending=pending, settled=settled, elapsed=0.0, answer_finished=True
    )
