"""From features to one score: the default without labels (METHOD 2.2, 2.3), and the interval it can still reach.

The default is a heuristic by construction, not a probability: its weights are judgement, to be replaced by a fit where
labels exist (`uncertainty.fitted`). Any score will do that rises with every feature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamroute.core.types import Confidence, Features
from streamroute.uncertainty.measures.confidence import first_token_entropy
from streamroute.uncertainty.measures.posterior import normalised_posterior_entropy
from streamroute.uncertainty.measures.snne import normalised_snne
from streamroute.uncertainty.sequential import Groups, Stance, reachable_range
from streamroute.uncertainty.wording import Wording, lexical_diversity

__all__ = (
    "DEFAULT_MOST_PROBES",
    "Doubt",
    "Features",
    "Observed",
    "ScoreOf",
    "certified_interval",
    "disagreement",
    "doubt_of",
    "features_of",
    "final_score",
    "is_minority",
    "most_probes",
    "no_label_score",
)

ScoreOf = Callable[[Features], float]
"""A score in [0, 1] that no feature lowers when it rises."""

WEIGHTS = (0.15, 0.20, 0.05, 0.40, 0.20)
"""Of disagreement, contradiction, entropy, SNNE and the diversity of words: graded signals before noisy cut-offs. Words
count for less than they are worth on one model's answers alone: how much a model talks when it is unsure is its own."""
LOGPROB_WEIGHT = 0.1
"""Small models are sure of what is wrong: where theirs were recorded, more weight ranked worse."""
IDENTICAL_SCORE = 0.05
MINORITY_SCORE = 0.7
MINORITY_MARGIN = 2
DEFAULT_MOST_PROBES = 8
"""What the entropy is scaled by (METHOD 2.2), unless more are drawn."""
IGNORANCE_SCORE = 0.95
REFUSAL_SCORE = 0.0
# Bounds and final score are sums of the same terms in different order; the certificate must hold to the last bit.
ROUNDING = 1e-9


def most_probes(count: int) -> int:
    """What `count` probes scale the entropy by: their own number alone, whatever else the judge judges."""
    return max(DEFAULT_MOST_PROBES, count)


def disagreement(agreeing: int, probes: int) -> float:
    """x1: one minus the Krichevsky-Trofimov estimate of the share of probes that agree with the answer."""
    return 1 - (agreeing + 0.5) / (probes + 1)


def is_minority(groups: Groups) -> bool:
    """x7: some other cluster has at least two texts more than the answer's, the answer counted."""
    own = next(group.probes for group in groups if group.answer) + 1
    return any(not group.answer and group.probes >= own + MINORITY_MARGIN for group in groups)


def no_label_score(x: Features) -> float:
    """U of METHOD 2.3 with the diversity of words beside it, in [0, 1]; monotone in every feature.

    Texts all spelled alike score at most 0.05 (more with doubtful log-probabilities), a minority answer at least 0.7,
    an answer that says it does not know at least 0.95. `refusal`, `length` and `prior` are left to a fit.
    """
    values = (x.disagreement, x.contradiction, x.entropy, x.snne, x.lexical)
    score = sum(weight * value for weight, value in zip(WEIGHTS, values, strict=True))
    ceiling = IDENTICAL_SCORE
    if x.doubt is not None:
        score = (1 - LOGPROB_WEIGHT) * score + LOGPROB_WEIGHT * x.doubt
        ceiling += LOGPROB_WEIGHT * x.doubt
    if x.identical:
        score = min(score, ceiling)
    if x.minority:
        score = max(score, MINORITY_SCORE)
    if x.ignorant:
        score = max(score, IGNORANCE_SCORE)
    return min(1.0, max(0.0, score))


class Doubt(NamedTuple):
    """What log-probabilities say of the answer: now, None where none came yet, and at least and at most when it has
    ended."""

    now: float | None
    low: float
    high: float


def doubt_of(confidence: Confidence | None, *, finished: bool) -> Doubt | None:
    """The larger of x5, the normalised entropy of the first content token, and x6, one minus the geometric mean of the
    tokens' probabilities. None where the answer has ended without log-probabilities."""
    if confidence is None:
        return None if finished else Doubt(None, 0.0, 1.0)
    top = [logprob for _, logprob in confidence.first.top] or [confidence.first.logprob]
    first = first_token_entropy(top)
    now = max(first, 1 - float(np.exp(min(0.0, confidence.mean))))
    return Doubt(now, now, now) if finished else Doubt(now, first, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that the score depends on, after some of the probes. `identical`: all texts so far are spelled alike.

    `contradictions` are of the probes so far against the answer, `similarity` is of all texts so far; both can still
    change where no group holds the answer. `wording` is of the probes. `sampled_answer`: the answer was drawn like the
    probes and counts as one of them in the entropy. `most_probes` scales the entropy: the largest number of probes in
    use. `prior` is what the prompt alone let expect.
    """

    groups: Groups
    contradictions: tuple[float, ...]
    similarity: npt.NDArray[np.float64]
    identical: bool
    wording: Wording = field(default_factory=Wording)
    doubt: Doubt | None = None
    prior: float | None = None
    sampled_answer: bool = False
    most_probes: int = DEFAULT_MOST_PROBES

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

    @property
    def refused(self) -> bool:
        """The answer refuses by policy and no probe answers: nothing to escalate, whatever the score."""
        return self.claiming == 0 and any(g.answer and g.stance is Stance.POLICY for g in self.groups)


class _Unseen(NamedTuple):
    """The features that do not depend on how the clusters grow."""

    contradiction: float
    snne: float
    lexical: float
    refusal: float
    length: float
    doubt: float | None


def features_of(seen: Observed) -> Features:
    """The features if no more probes come. An answer that is not there yet is taken to be of the largest cluster."""
    groups, known = seen.groups, _known(seen)
    if not groups:
        return _features((), seen, known, identical=False)
    if not seen.answered:
        largest = max(range(len(groups)), key=lambda i: groups[i].probes)
        groups = tuple(group._replace(answer=i == largest) for i, group in enumerate(groups))
    # An answer alone is like no other.
    return _features(groups, seen, known, identical=seen.identical and seen.probes > 0)


def final_score(seen: Observed, score_of: ScoreOf = no_label_score, features: Features | None = None) -> float:
    """The score if no more probes come. `features` are `features_of(seen)`, for callers who have them already."""
    return REFUSAL_SCORE if seen.refused else score_of(features or features_of(seen))


def certified_interval(
    seen: Observed, remaining: int, score_of: ScoreOf = no_label_score, features: Features | None = None
) -> tuple[float, float]:
    """The least and the greatest final score that `remaining` more probes, and the answer if not there yet, allow.
    `features` as in `final_score`.

    Count features are enumerated exactly; those that depend on texts are bounded (METHOD 3.2). Valid for any relation
    once the answer is judged; before that, for one that is an equivalence, and it can only certify escalation then,
    since the answer may still turn out to be ignorance.
    """
    own = next((group for group in seen.groups if group.answer), None)
    still = seen.doubt is None or seen.doubt.low == seen.doubt.high
    if own is not None and remaining <= 0 and still:
        score = final_score(seen, score_of, features)
        return score, score
    least, most = _bounds(seen, remaining)

    def interval(final: Groups) -> tuple[float, float]:
        may_be_identical = seen.identical and len(final) == 1
        low = score_of(_features(final, seen, least, identical=may_be_identical))
        return low, score_of(_features(final, seen, most, identical=False))

    low, high = reachable_range(seen.groups, remaining, interval)
    if own is None:
        high = 1.0
    if (own is None or own.stance is Stance.POLICY) and seen.claiming == 0:
        low = REFUSAL_SCORE
    return max(0.0, low - ROUNDING), min(1.0, high + ROUNDING)


def _known(seen: Observed) -> _Unseen:
    """Of the texts so far."""
    probes, said = max(1, seen.wording.samples), seen.wording
    return _Unseen(
        contradiction=sum(seen.contradictions) / len(seen.contradictions) if seen.contradictions else 0.0,
        snne=normalised_snne(seen.similarity),
        lexical=lexical_diversity(len(said.words), said.samples),
        refusal=said.disclaiming / probes,
        length=said.length / probes,
        doubt=None if seen.doubt is None else seen.doubt.now,
    )


def _bounds(seen: Observed, remaining: int) -> tuple[_Unseen, _Unseen]:
    """The least and the most of what `remaining` more probes allow."""
    said, total = seen.wording, sum(seen.contradictions)
    expected = max(1, seen.probes + remaining)
    low, high = (None, None) if seen.doubt is None else (seen.doubt.low, seen.doubt.high)
    least = _Unseen(
        contradiction=total / expected if seen.answered else 0.0,
        snne=_padded_snne(seen.similarity, remaining, 1.0) if seen.answered else 0.0,
        lexical=lexical_diversity(len(said.words), expected),
        refusal=said.disclaiming / expected,
        length=said.length / expected,
        doubt=low,
    )
    most = _Unseen(
        contradiction=(total + remaining) / expected if seen.answered else 1.0,
        snne=_padded_snne(seen.similarity, remaining, 0.0) if seen.answered else 1.0,
        lexical=1.0 if remaining else least.lexical,
        refusal=(said.disclaiming + remaining) / expected,
        length=(said.length + remaining) / expected,
        doubt=high,
    )
    return least, most


def _padded_snne(similarity: npt.NDArray[np.float64], more: int, value: float) -> float:
    """SNNE falls as similarities rise: the texts to come are like all others, or like none."""
    known = len(similarity)
    padded = np.full((known + more, known + more), value)
    np.fill_diagonal(padded, 1.0)
    padded[:known, :known] = similarity
    return normalised_snne(padded)


def _features(groups: Groups, seen: Observed, known: _Unseen, *, identical: bool) -> Features:
    own = next((group for group in groups if group.answer), None)
    probes = sum(group.probes for group in groups)
    counts = [group.probes + (group.answer and seen.sampled_answer) for group in groups]
    # An answer that refuses beside answers is as good as contradicted.
    claiming = sum(group.probes for group in groups if group.stance is Stance.CLAIM)
    refuses_alone = own is not None and own.stance is Stance.POLICY and 2 * claiming >= max(1, probes)
    return Features(
        disagreement=disagreement(own.probes, probes) if own is not None else 0.5,
        contradiction=known.contradiction,
        entropy=normalised_posterior_entropy(counts, most=max(seen.most_probes, sum(counts) - 1) + 1),
        snne=known.snne,
        lexical=known.lexical,
        refusal=known.refusal,
        length=known.length,
        minority=own is not None and (refuses_alone or is_minority(groups)),
        ignorant=own is not None and own.stance is Stance.IGNORANCE,
        identical=identical,
        doubt=known.doubt,
        prior=seen.prior,
    )
