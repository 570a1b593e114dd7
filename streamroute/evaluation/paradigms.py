"""How each method and system decides, in the terms of the survey of Moslem and Kelleher (2026, arXiv:2603.04445): by
which principle, when, from what, and whether by a rule, a computation or something learned. Data, no logic."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ("PARADIGMS", "How", "Paradigm", "Principle", "Uses", "When", "paradigm")


class Principle(enum.StrEnum):
    DIFFICULTY = "difficulty"
    """By features of the question."""
    PREFERENCE = "preference"
    """By what preferences or labels taught about questions."""
    CLUSTERING = "clustering"
    """By clusters of meanings (the survey means those of questions)."""
    UNCERTAINTY = "uncertainty"
    """By how sure the cheap model is."""
    CASCADE = "cascade"
    """By judging a finished answer."""
    NONE = "none"
    """A bound or a control for the others."""


class When(enum.StrEnum):
    BEFORE = "before"
    AFTER_ANSWER = "after the answer"
    AFTER_SAMPLES = "after the samples"
    STREAMING = "while streaming"


class Uses(enum.Flag):
    """What it looks at; as text, the parts with commas between them."""

    NOTHING = 0
    QUESTION = enum.auto()
    ANSWER = enum.auto()
    SAMPLES = enum.auto()
    LOG_PROBABILITIES = enum.auto()
    LABELS = enum.auto()

    def __str__(self) -> str:
        return ", ".join((part.name or "").lower().replace("_", "-") for part in self) or "nothing"


class How(enum.StrEnum):
    RULE = "rule"
    COMPUTED = "computed"
    LEARNED = "learned"


@dataclass(frozen=True, slots=True)
class Paradigm:
    """`note`: a sentence on what it does, with its paper where there is one."""

    paradigm: Principle
    when: When
    uses: Uses
    how: How
    note: str


def paradigm(name: str) -> Paradigm:
    """Of a method of `methods_of`, or of a system that is compared with them. Raises KeyError for another name."""
    return PARADIGMS[name]


_Lines = Mapping[str, tuple[Uses, str]]
"""By a name, or by several with spaces between them."""

_Q, _A, _S, _P, _L = Uses.QUESTION, Uses.ANSWER, Uses.SAMPLES, Uses.LOG_PROBABILITIES, Uses.LABELS
_FEATURES = _Q | _A | _S | _P

_OURS: _Lines = {
    "streamroute": (_FEATURES, "Five features of samples and answer, and doubt where it is known, in one fixed score."),
}
_OURS_FITTED: _Lines = {
    "streamroute-fitted": (_FEATURES | _L, "The features of ours, weighed by a monotone logistic regression."),
}
_OURS_EARLY: _Lines = {
    "streamroute-early": (_FEATURES, "Ours, decided as soon as the samples still to come no longer matter."),
}
_FIRST_TOKEN: _Lines = {
    "first-token-entropy": (_P, "How undecided the first token is, phi_first (arXiv:2605.05166)."),
}
_QUESTION_LEARNED: _Lines = {
    "query-router": (_Q | _L, "Linear on n-grams of the question; after RouteLLM (Ong et al. 2024)."),
}
_ANSWER_LEARNED: _Lines = {
    "answer-scorer": (_Q | _A | _L, "Linear on n-grams of question and answer; after FrugalGPT (Chen et al. 2023)."),
    "cascade-routing": (_FEATURES | _L, "Before and after each answer, the best step left (Dekoninck et al. 2025)."),
}
_ANSWER_READ: _Lines = {
    "refusal": (_A, "Escalates an answer that refuses or does not know."),
    "disclaimer": (_A, "Escalates an answer that disclaims anywhere."),
    "length": (_A, "Escalates the longest; length rivals semantic entropy (arXiv:2508.08285)."),
}
_ANSWER_VERIFIED: _Lines = {
    "self-verification": (_Q | _A, "Sampled verdicts of the model on its own answer: AutoMix (arXiv:2310.12963)."),
}
_AGREEMENT: _Lines = {
    "semantic-agreement": (_A | _S, "Mean pairwise likeness of all answers (Soiffer, Kolawole and Smith 2025)."),
    "sequential": (
        _FEATURES,
        "The whole draft, then the samples, then the verdict, as cascades do (Chen et al. 2023).",
    ),
}
_MEANINGS: _Lines = {
    "token-overlap": (_S, "Discrete semantic entropy of clusters by shared words (after Farquhar et al. 2024)."),
    "discrete-se discrete-se-normalised": (_S, "Entropy of the shares of meanings (Farquhar et al. 2024)."),
    "posterior-se": (_S, "Its posterior mean under a Dirichlet process (after Archer, Park and Pillow 2014)."),
    "num-sets": (_S, "How many meanings there are (Lin, Trivedi and Sun 2024)."),
    "rao-se": (_S | _P, "Semantic entropy of probabilities normalised over meanings (Farquhar et al. 2024)."),
    "kuhn-se": (_S | _P, "Semantic entropy as first released (Kuhn, Gal and Farquhar 2023)."),
    "polygraph-se": (_S | _P, "Semantic entropy of whole sequences, as of lm-polygraph (Fadeeva et al. 2023)."),
}
_SAMPLES: _Lines = {
    "sample-length": (_S, "Escalates the longest samples; length rivals semantic entropy (arXiv:2508.08285)."),
    "majority-vote": (_S, "The winner's share of a vote over spellings: self-consistency (Wang et al. 2023)."),
    "length-normalised-entropy": (_S | _P, "Predictive entropy per token (Malinin and Gales 2021)."),
    "predictive-entropy": (_S | _P, "Monte Carlo entropy over texts (Malinin and Gales 2021)."),
    "snne-rouge-l snne-normalised-rouge-l": (_S, "Nearest-neighbour entropy by words (Nguyen et al. 2025)."),
    "snne-nli snne-normalised-nli": (_S, "Nearest-neighbour entropy by entailment (Nguyen et al. 2025)."),
    "wsnne-rouge-l wsnne-nli": (_S | _P, "Nearest-neighbour entropy, weighed by probability (Nguyen et al. 2025)."),
    "dissimilarity-rouge-l dissimilarity-jaccard": (_S, "Lexical similarity of the samples (Fomicheva et al. 2020)."),
    "eigv-entailment eigv-contradiction eigv-jaccard": (_S, "Eigenvalues of the Laplacian (Lin et al. 2024)."),
    "deg-entailment deg-contradiction deg-jaccard": (_S, "Degrees in the graph of likeness (Lin et al. 2024)."),
    "ecc-entailment ecc-contradiction ecc-jaccard": (_S, "Distances from the graph's centre (Lin et al. 2024)."),
    "kle": (_S, "Von Neumann entropy of a kernel of meanings (Nikitin et al. 2024)."),
}
_AGAINST_SAMPLES: _Lines = {
    "answer-token-f1": (_A | _S, "Mean overlap in words of the samples with the answer (F1 as of SQuAD)."),
    "string-consistency": (_A | _S, "Samples spelled like the answer: self-consistency (Wang et al. 2023)."),
    "answer-deg-entailment answer-deg-contradiction": (_A | _S, "The answer's degree, C_Deg (Lin et al. 2024)."),
    "answer-deg-jaccard": (_A | _S, "The answer's degree by shared words, C_Deg (Lin et al. 2024)."),
    "selfcheck-nli-sample-premise selfcheck-nli-answer-premise": (_A | _S, "SelfCheckGPT (Manakul et al. 2023)."),
    "cocoa-msp cocoa-ppl": (_A | _S | _P, "Surprise times unlikeness to the samples: CoCoA (Vashurin et al. 2025)."),
    "semantic-density": (_A | _S | _P, "Density of meanings around the answer (Qiu and Miikkulainen 2024)."),
    "bsdetector": (_FEATURES, "Consistency and self-reflection: BSDetector (Chen and Mueller 2024)."),
}
_ANSWER_SURPRISE: _Lines = {
    "mean-token-surprise": (_A | _P, "Log perplexity of the answer (Fomicheva et al. 2020)."),
    "sequence-surprise": (_A | _P, "Surprise of the whole answer: maximum sequence probability (Fadeeva et al. 2023)."),
    "least-token-surprise": (_A | _P, "Surprise of its least likely token (Manakul et al. 2023)."),
    "p-true": (_Q | _A | _P, "The probability that the model gives to its answer being true (Kadavath et al. 2022)."),
}
_CONTROLS: _Lines = {
    "random": (Uses.NOTHING, "Knows nothing: what any rate of escalation buys."),
    "always-cheap": (Uses.NOTHING, "Asks the cheap model alone."),
    "always-large": (Uses.NOTHING, "Asks the large model alone."),
    "oracle": (_A | _L, "Knows beforehand which answers are right: no router does better."),
}


def _all(principle: Principle, when: When, how: How, *groups: _Lines) -> dict[str, Paradigm]:
    return {
        name: Paradigm(principle, when, uses, how, note)
        for lines in groups
        for names, (uses, note) in lines.items()
        for name in names.split()
    }


PARADIGMS: Mapping[str, Paradigm] = MappingProxyType(
    {
        **_all(Principle.UNCERTAINTY, When.AFTER_SAMPLES, How.COMPUTED, _OURS, _SAMPLES, _AGAINST_SAMPLES),
        **_all(Principle.UNCERTAINTY, When.AFTER_SAMPLES, How.LEARNED, _OURS_FITTED),
        **_all(Principle.UNCERTAINTY, When.STREAMING, How.COMPUTED, _OURS_EARLY, _FIRST_TOKEN),
        **_all(Principle.UNCERTAINTY, When.AFTER_ANSWER, How.COMPUTED, _ANSWER_SURPRISE),
        **_all(Principle.CLUSTERING, When.AFTER_SAMPLES, How.COMPUTED, _MEANINGS),
        **_all(Principle.PREFERENCE, When.BEFORE, How.LEARNED, _QUESTION_LEARNED),
        **_all(Principle.CASCADE, When.AFTER_ANSWER, How.LEARNED, _ANSWER_LEARNED),
        **_all(Principle.CASCADE, When.AFTER_ANSWER, How.RULE, _ANSWER_READ),
        **_all(Principle.CASCADE, When.AFTER_ANSWER, How.COMPUTED, _ANSWER_VERIFIED),
        **_all(Principle.CASCADE, When.AFTER_SAMPLES, How.COMPUTED, _AGREEMENT),
        **_all(Principle.NONE, When.BEFORE, How.RULE, _CONTROLS),
    }
)
