"""How sure a model is of one answer: from its log-probabilities, its own word, or how samples bear the answer out.

METHOD 1.7. Log-probabilities are natural and finite. Each docstring says whether higher means more or less certain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamroute.uncertainty.measures.entropies import log_sum_exp

__all__ = (
    "bsdetector",
    "cocoa",
    "first_token_entropy",
    "least_token_surprise",
    "mean_token_surprise",
    "p_true_uncertainty",
    "semantic_density",
)

BSDETECTOR_WEIGHTS = (0.56, 0.14, 0.30)
"""Of agreement by meaning, exact match and self-reflection: alpha = 0.8 and beta = 0.7 of the paper, multiplied out."""


def mean_token_surprise(token_logprobs: Sequence[float]) -> float:
    """Minus the mean log-probability of the answer's tokens, in nats: log perplexity. Higher is less certain; 0 for no
    tokens."""
    return -math.fsum(token_logprobs) / len(token_logprobs) if token_logprobs else 0.0


def least_token_surprise(token_logprobs: Sequence[float]) -> float:
    """Minus the log-probability of the answer's least likely token, in nats (Manakul et al. 2023, "Max(-log p)").
    Higher is less certain; 0 for no tokens."""
    return -min(token_logprobs, default=0.0)


def first_token_entropy(top_logprobs: Sequence[float]) -> float:
    """Entropy of the K most likely first content tokens, renormalised, over log K: in [0, 1], higher is less certain
    (phi_first of arXiv 2605.05166). 0 for a single token. Raises ValueError for none."""
    if not top_logprobs:
        raise ValueError("top_logprobs is empty")
    if len(top_logprobs) == 1:
        return 0.0
    total = log_sum_exp(top_logprobs)
    entropy = math.fsum(math.exp(logprob - total) * (total - logprob) for logprob in top_logprobs)
    return min(1.0, entropy / math.log(len(top_logprobs)))


def p_true_uncertainty(logprob: float) -> float:
    """1 - P(True), in [0, 1], higher is less certain, from the log-probability that the model calls its answer true
    (Kadavath et al. 2022; `p_false_fixed` of Farquhar et al. 2024's code)."""
    return min(1.0, max(0.0, -math.expm1(logprob)))


def cocoa(surprise: float, similarities: Sequence[float]) -> float:
    """CoCoA (Vashurin et al. 2025): the answer's surprise times its mean dissimilarity to the samples; higher is less
    certain.

    `surprise` is minus the log-probability of the whole answer (CoCoA-MSP) or of its mean token (CoCoA-PPL), and
    `similarities`, in [0, 1], are of the answer to each sample. Raises ValueError where there are no samples.
    """
    if not similarities:
        raise ValueError("no samples to be like")
    return surprise * (1 - math.fsum(similarities) / len(similarities))


def semantic_density(
    mean_token_logprobs: Sequence[float], neutral: Sequence[float], contradiction: Sequence[float]
) -> float:
    """Density of the samples' meanings around the answer, in [0, 1]; higher is MORE certain (Qiu and Miikkulainen
    2024): the mean over samples of 1 - contradiction - neutral / 2, weighted by length-normalised probability.

    One entry a sample, its relation to the answer. Probability weighs each text, so the paper has every different text
    once. Raises ValueError where there are no samples or the entries differ in number.
    """
    if not mean_token_logprobs:
        raise ValueError("no samples to estimate a density from")
    total = log_sum_exp(mean_token_logprobs)
    return math.fsum(
        math.exp(logprob - total) * (1 - d - u / 2)
        for logprob, u, d in zip(mean_token_logprobs, neutral, contradiction, strict=True)
    )


def bsdetector(non_contradiction: float, exact_match: float, self_reflection: float) -> float:
    """BSDetector (Chen and Mueller 2024): in [0, 1] like its three parts, higher is MORE certain.

    The means over samples of non-contradiction with and of equality to the answer, and the model's own certainty in
    its answer, with the weights of the paper (uqlm's defaults).
    """
    parts = (non_contradiction, exact_match, self_reflection)
    return math.fsum(weight * part for weight, part in zip(BSDETECTOR_WEIGHTS, parts, strict=True))
