"""What a score of uncertainty has to beat: baselines of the words alone, without a model of language.

Each takes a row and says how uncertain its cheap answer looks, higher is less certain; None without samples where it is
about samples, and without the model's own verdicts where it is about those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType

from streamroute.evaluation.rows import CheapLeg
from streamroute.uncertainty.measures.entropies import discrete_entropy
from streamroute.uncertainty.normalize import normalize, token_f1, tokens
from streamroute.uncertainty.refusals import stance
from streamroute.uncertainty.sequential import Stance
from streamroute.uncertainty.wording import disclaims

__all__ = ("BASELINES", "NEEDS_SAMPLES", "Baseline")

OVERLAP = 0.6
"""Token F1 from which two samples count as one meaning."""

Baseline = Callable[[CheapLeg], float | None]


def chance(leg: CheapLeg) -> float:
    """Knows nothing."""
    return 0.0


def refusal(leg: CheapLeg) -> float:
    """1 for an answer that refuses or says that it does not know."""
    return float(stance(leg.answer) is not Stance.CLAIM)


def disclaimer(leg: CheapLeg) -> float:
    """1 for an answer that refuses or disclaims, also where it answers then."""
    return float(disclaims(leg.answer))


def length(leg: CheapLeg) -> float:
    """Characters of the answer: who does not know talks."""
    return float(len(leg.answer))


def sample_length(leg: CheapLeg) -> float | None:
    """Mean characters of the samples."""
    return sum(map(len, leg.samples)) / len(leg.samples) if leg.samples else None


def token_overlap(leg: CheapLeg) -> float | None:
    """Discrete entropy of the samples, clustered by token F1 with the first text of each cluster, the first match."""
    clusters: list[list[str]] = []
    sizes: list[int] = []
    for words in map(tokens, leg.samples):
        match = next((i for i, first in enumerate(clusters) if token_f1(first, words) >= OVERLAP), None)
        if match is None:
            clusters.append(words)
            sizes.append(1)
        else:
            sizes[match] += 1
    return discrete_entropy(sizes) if sizes else None


def answer_token_f1(leg: CheapLeg) -> float | None:
    """One less the mean token F1 of the answer with the samples."""
    answer = tokens(leg.answer)
    shared = [token_f1(answer, tokens(sample)) for sample in leg.samples]
    return 1 - sum(shared) / len(shared) if shared else None


def string_consistency(leg: CheapLeg) -> float | None:
    """The share of the samples that are spelled otherwise than the answer, after normalisation."""
    answer = normalize(leg.answer)
    return sum(normalize(sample) != answer for sample in leg.samples) / len(leg.samples) if leg.samples else None


def majority_vote(leg: CheapLeg) -> float | None:
    """The share of the samples that lose a vote over spellings, after normalisation."""
    votes = Counter(map(normalize, leg.samples))
    return 1 - max(votes.values()) / len(leg.samples) if votes else None


def self_verification(leg: CheapLeg) -> float | None:
    """The share of the model's sampled verdicts on its own answer that do not call it true (AutoMix, Aggarwal, Madaan
    et al. 2023, arXiv:2310.12963, section 3.1)."""
    return None if leg.self_verified is None else 1 - leg.self_verified


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "random": chance,
        "refusal": refusal,
        "disclaimer": disclaimer,
        "length": length,
        "sample-length": sample_length,
        "token-overlap": token_overlap,
        "answer-token-f1": answer_token_f1,
        "string-consistency": string_consistency,
        "majority-vote": majority_vote,
        "self-verification": self_verification,
    }
)
NEEDS_SAMPLES = frozenset(("sample-length", "token-overlap", "answer-token-f1", "string-consistency", "majority-vote"))
