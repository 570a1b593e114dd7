"""From features to one score: the default without labels (METHOD 2.2, 2.3), and the interval it can still reach.

A heuristic by construction, not a probability: its weights are judgement, to be replaced by a fit where labels exist.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamroute.core.types import Features
from streamroute.uncertainty.measures.posterior import normalised_posterior_entropy
from streamroute.uncertainty.measures.snne import normalised_snne
from streamroute.uncertainty.sequential import Groups, Stance, reachable_range

__all__ = ("Features", "Observed", "certified_interval", "disagreement", "final_score", "is_minority", "no_label_score")

WEIGHTS = (0.40, 0.25, 0.20, 0.15)
"""Of disagreement, contradiction, entropy, SNNE."""
LOGPROB_WEIGHT = 0.3
IDENTICAL_SCORE = 0.05
MINORITY_SCORE = 0.8
MINORITY_MARGIN = 2
IGNORANCE_SCORE = 0.95
REFUSAL_SCORE = 0.0
# Bounds and final score are sums of the same terms in different order; the certificate must hold to the last bit.
ROUNDING = 1e-9


def disagreement(agreeing: int, probes: int) -> float:
    """x1: one minus the Krichevsky-Trofimov estimate of the share of probes that agree with the answer."""
    return 1 - (agreeing + 0.5) / (probes + 1)


def is_minority(groups: Groups) -> bool:
    """x7: some other cluster has at least two texts more than the answer's, the answer counted."""
    own = next(group.probes for group in groups if group.answer) + 1
    return any(not group.answer and group.probes >= own + MINORITY_MARGIN for group in groups)


def no_label_score(x: Features) -> float:
    """U of METHOD 2.3, in [0, 1]; monotone in every feature. Texts all spelled alike score at most 0.05 (more with
    doubtful log-probabilities), a minority answer at least 0.8."""
    values = (x.disagreement, x.contradiction, x.entropy, x.snne)
    score = sum(weight * value for weight, value in zip(WEIGHTS, values, strict=True))
    ceiling = IDENTICAL_SCORE
    if x.doubt is not None:
        score = (1 - LOGPROB_WEIGHT) * score + LOGPROB_WEIGHT * x.doubt
        ceiling += LOGPROB_WEIGHT * x.doubt
    if x.identical:
        score = min(score, ceiling)
    if x.minority:
        score = max(score, MINORITY_SCORE)
    return min(1.0, max(0.0, score))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that the score depends on, after some of the probes. `identical`: all texts so far are spelled alike.

    `contradictions` are of the probes so far against the answer, `similarity` is of all texts so far; both can still
    change where no group holds the answer. `sampled_answer`: the answer was drawn like the probes and counts as one of
    them in the entropy. `most_probes` scales the entropy: the largest number of probes in use.
    """

    groups: Groups
    contradictions: tuple[float, ...]
    similarity: npt.NDArray[np.float64]
    identical: bool
    sampled_answer: bool = False
    most_probes: int = 8

    @property
    def probes(self) -> int:
        return sum(group.probes for group in self.groups)

    @property
    def claiming(self) -> int:
        """Probes that answer, rather than refuse."""
        return sum(group.probes for group in self.groups if group.stance is Stance.CLAIM)

    @property
    def answered(self) -> bool:
        return any(group.answer for group in self.groups)


def final_score(seen: Observed) -> float:
    """The score if no more probes come. An answer that is not there yet is taken to be of the largest cluster."""
    groups = seen.groups
    if not seen.answered:
        if not groups:
            return no_label_score(Features(disagreement=0.5, contradiction=0, entropy=_entropy((), seen), snne=0))
        largest = max(range(len(groups)), key=lambda i: groups[i].probes)
        groups = tuple(group._replace(answer=i == largest) for i, group in enumerate(groups))
    contradiction = sum(seen.contradictions) / len(seen.contradictions) if seen.contradictions else 0.0
    identical = seen.identical and seen.probes > 0  # an answer alone is like no other
    score = _by_counts(groups, seen, contradiction, normalised_snne(seen.similarity), identical=identical)
    own = next(group for group in groups if group.answer)
    if own.stance is Stance.IGNORANCE:
        return IGNORANCE_SCORE
    if own.stance is Stance.POLICY and seen.claiming == 0:
        return REFUSAL_SCORE
    refuses_alone = own.stance is Stance.POLICY and 2 * seen.claiming >= seen.probes
    return max(score, MINORITY_SCORE) if refuses_alone else score


def certified_interval(seen: Observed, remaining: int) -> tuple[float, float]:
    """The least and the greatest final score that `remaining` more probes, and the answer if not there yet, allow.

    Count features are enumerated exactly; contradiction and SNNE, which depend on texts, are bounded (METHOD 3.2).
    Valid for any relation once the answer is judged; before that, for one that is an equivalence, and it can only
    certify escalation then, since the answer may still turn out to be ignorance.
    """
    own = next((group for group in seen.groups if group.answer), None)
    if own is not None and (remaining <= 0 or own.stance is Stance.IGNORANCE):
        score = final_score(seen)
        return score, score
    low, high = _reachable_by_counts(seen, remaining)
    expected = seen.probes + remaining
    if own is None:
        high = 1.0
    elif own.stance is Stance.POLICY and 2 * (seen.claiming + remaining) >= expected:
        high = max(high, MINORITY_SCORE)
    if (own is None or own.stance is Stance.POLICY) and seen.claiming == 0:
        low = REFUSAL_SCORE
    return max(0.0, low - ROUNDING), min(1.0, high + ROUNDING)


def _reachable_by_counts(seen: Observed, remaining: int) -> tuple[float, float]:
    """Bounds of `_by_counts`, for which a refusal is a text like any other."""
    contradiction, snne = (0.0, 1.0), (0.0, 1.0)
    if seen.answered:
        total, expected = sum(seen.contradictions), seen.probes + remaining
        contradiction = total / expected, (total + remaining) / expected
        snne = _padded_snne(seen.similarity, remaining, 1.0), _padded_snne(seen.similarity, remaining, 0.0)

    def interval(final: Groups) -> tuple[float, float]:
        may_be_identical = seen.identical and len(final) == 1
        low = _by_counts(final, seen, contradiction[0], snne[0], identical=may_be_identical)
        return low, _by_counts(final, seen, contradiction[1], snne[1], identical=False)

    return reachable_range([group._replace(stance=Stance.CLAIM) for group in seen.groups], remaining, interval)


def _padded_snne(similarity: npt.NDArray[np.float64], more: int, value: float) -> float:
    """SNNE falls as similarities rise: the texts to come are like all others, or like none."""
    known = len(similarity)
    padded = np.full((known + more, known + more), value)
    np.fill_diagonal(padded, 1.0)
    padded[:known, :known] = similarity
    return normalised_snne(padded)


def _entropy(groups: Groups, seen: Observed) -> float:
    counts = [group.probes + (group.answer and seen.sampled_answer) for group in groups]
    return normalised_posterior_entropy(counts, most=max(seen.most_probes, sum(counts) - 1) + 1)


def _by_counts(groups: Groups, seen: Observed, contradiction: float, snne: float, *, identical: bool) -> float:
    agreeing = next(group.probes for group in groups if group.answer)
    features = Features(
        disagreement=disagreement(agreeing, sum(group.probes for group in groups)),
        contradiction=contradiction,
        entropy=_entropy(groups, seen),
        snne=snne,
        identical=identical,
        minority=is_minority(groups),
    )
    return no_label_score(features)
