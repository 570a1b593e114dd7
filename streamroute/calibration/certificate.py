"""What can be promised of the answers that are kept (METHOD 6.2).

Two promises, which differ: *marginal*, that of all requests at most a share alpha ends with a bad answer kept, on
average over calibrations (conformal risk control, Angelopoulos et al. 2024); and *selective*, that of the kept answers
at most a share alpha is bad, with confidence 1 - delta (Learn then Test, Angelopoulos et al. 2021, with the exact
binomial bound). Both hold for requests that are exchangeable with the held-out ones, and whatever the score is worth.

An answer is kept where its score is at most the threshold. What is bad is the caller's to say: a wrong answer, or, as a
regret, a wrong one that the larger model would have got right.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamroute.calibration.binomial import least_kept, tail, upper_bound
from streamroute.calibration.thresholds import TIE, kept_share_cut, levels_of

__all__ = ("Certificate", "NoCertificate", "conformal", "fixed_sequence", "regret", "sequence_of", "start_for")

START = 0.25
"""Coverage at which a sequence begins: from less, chance ends it before it has come anywhere."""
STEPS = 16
SPARE = 1.3
"""How many times the kept answers that could certify at all a sequence begins with: the count varies, and some err."""
MOST = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Kept at `tau`, at most a share `alpha` is bad; with confidence 1 - `delta` where it is selective, which a
    marginal one has none of.

    Of `n` held-out answers `kept` would have been, `bad` of them wrongly. `bound` is what was compared with alpha.
    """

    kind: Literal["selective", "marginal"]
    alpha: float
    delta: float | None
    tau: float
    n: int
    kept: int
    bad: int
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCertificate:
    """The data cannot support one. `needed` is about how many held-out rows could, None where more of the same kind
    would not help."""

    reason: str
    needed: int | None = None


def regret(wrong: Sequence[bool], large_wrong: Sequence[bool]) -> list[bool]:
    """1{kept} (q_L - q_c)+ for a kept answer: bad is what the larger model would have got right. Raises ValueError for
    another number of labels."""
    return [bad and not large for bad, large in zip(wrong, large_wrong, strict=True)]


def sequence_of(scores: Sequence[float], *, start: float = START, steps: int = STEPS) -> tuple[float, ...]:
    """Thresholds from a share `start` kept to all of these scores, rising. Must not be made of the answers that are to
    certify them: no labels are needed. Raises ValueError for no scores."""
    shares = np.linspace(start, 1, steps)
    return tuple(dict.fromkeys(kept_share_cut(scores, share) for share in shares))


def start_for(n: int, alpha: float, delta: float) -> float:
    """The coverage at which a sequence should begin that `n` answers are to certify: the least that can pass. Known
    before any of them is looked at."""
    return min(1.0, max(START, SPARE * least_kept(alpha, delta) / max(n, 1)))


def conformal(scores: Sequence[float], bad: Sequence[bool], alpha: float) -> Certificate | NoCertificate:
    """The highest threshold with (sum of losses + 1) / (n + 1) <= alpha: marginal. Raises ValueError unless alpha is
    between 0 and 1 and there is a label for each score."""
    _require(scores, bad, alpha)
    n = len(scores)
    if n + 1 < 1 / alpha:
        needed = math.ceil(1 / alpha) - 1
        return NoCertificate(
            reason=f"{n} held-out rows: even without an error {needed} are needed for {alpha:g}", needed=needed
        )
    levels, place = np.unique(levels_of(scores), return_inverse=True)
    kept = np.bincount(place).cumsum()
    losses = np.bincount(place, weights=np.asarray(bad, dtype=np.float64)).cumsum()
    bounds = (losses + 1) / (n + 1)
    index = int((bounds <= alpha).sum()) - 1
    if index < 0:
        return NoCertificate(
            reason=f"of all {n} held-out answers, already the {kept[0]} most certain have {losses[0]:.0f} bad ones"
        )
    return Certificate(
        kind="marginal",
        alpha=alpha,
        delta=None,
        tau=float(levels[index]),
        n=n,
        kept=int(kept[index]),
        bad=int(losses[index]),
        bound=float(bounds[index]),
    )


def fixed_sequence(
    scores: Sequence[float], bad: Sequence[bool], alpha: float, delta: float, sequence: Sequence[float]
) -> Certificate | NoCertificate:
    """The last threshold of the rising `sequence` before the first whose Clopper-Pearson bound exceeds alpha:
    selective. No correction for the number of tests is due, for a test is made only when all before it passed.

    Raises ValueError unless alpha and delta are between 0 and 1, the sequence rises, and there is a label for each
    score.
    """
    _require(scores, bad, alpha)
    if not 0 < delta < 1:
        raise ValueError(f"delta must be above 0 and below 1, not {delta}")
    if not sequence or any(b <= a for a, b in itertools.pairwise(sequence)):
        raise ValueError("a sequence of thresholds must rise, and have at least one")
    levels, losses = levels_of(scores), np.asarray(bad, dtype=bool)
    passed: tuple[float, int, int] | None = None
    for tau in sequence:
        chosen = levels <= tau + TIE
        kept, lost = int(chosen.sum()), int(losses[chosen].sum())
        if kept == 0 or tail(lost, kept, alpha) > delta:  # just where the upper bound is above alpha
            if passed is None:
                return _none(kept, lost, len(levels), alpha, delta)
            break
        passed = tau, kept, lost
    assert passed is not None
    tau, kept, lost = passed
    return Certificate(
        kind="selective",
        alpha=alpha,
        delta=delta,
        tau=tau,
        n=len(levels),
        kept=kept,
        bad=lost,
        bound=upper_bound(lost, kept, delta),
    )


def _none(kept: int, lost: int, n: int, alpha: float, delta: float) -> NoCertificate:
    least, among = least_kept(alpha, delta), f"of {n} held-out answers"
    if kept < least:
        needed = None if kept == 0 else math.ceil(least * n / kept)
        return NoCertificate(
            reason=f"{among} {kept} would be kept; even without an error {least} are needed for {alpha:g} with "
            f"confidence {1 - delta:g}",
            needed=math.ceil(least / START) if needed is None else needed,
        )
    share = lost / kept
    if share >= alpha:
        return NoCertificate(
            reason=f"{among} already the {kept} most certain have {lost} bad ones, which is {share:.1%}: more data "
            "would not help, a better score or a better model would"
        )
    size = kept
    while size < MOST and tail(math.ceil(share * size), size, alpha) > delta:
        size = math.ceil(size * 1.05)
    return NoCertificate(
        reason=f"{among} the {kept} most certain have {lost} bad ones: {share:.1%}, but it may be "
        f"{upper_bound(lost, kept, delta):.1%}",
        needed=math.ceil(size * n / kept),
    )


def _require(scores: Sequence[float], bad: Sequence[bool], alpha: float) -> None:
    if len(scores) != len(bad) or not len(scores):
        raise ValueError(f"{len(bad)} labels for {len(scores)} scores")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be above 0 and below 1, not {alpha}")
