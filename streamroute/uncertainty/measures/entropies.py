"""Entropies over texts and over their meanings, in nats. Higher is less certain.

An assignment names the cluster of each text; counts are cluster sizes. Of a text, the sequence log-probability is the
sum over its tokens and the mean one (the l of METHOD 1.2) that sum over their number. Log-probabilities are finite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

__all__ = (
    "discrete_entropy",
    "kuhn_entropy",
    "length_normalised_entropy",
    "log_sum_exp",
    "normalised_discrete_entropy",
    "polygraph_entropy",
    "predictive_entropy",
    "rao_entropy",
)

KUHN_SHIFT = 5.0
"""A constant of the released code, kept so that figures can be compared; it changes no ranking."""


def discrete_entropy(counts: Sequence[int]) -> float:
    """Entropy of the cluster shares (Farquhar et al. 2024, "discrete semantic entropy"). 0 for no texts."""
    total = sum(counts)
    return math.fsum(c / total * math.log(total / c) for c in counts if c)


def normalised_discrete_entropy(counts: Sequence[int]) -> float:
    """`discrete_entropy` over its maximum log n (as uqlm), in [0, 1]; 0 for fewer than two texts."""
    total = sum(counts)
    return discrete_entropy(counts) / math.log(total) if total > 1 else 0.0


def rao_entropy(assignment: Sequence[int], mean_token_logprobs: Sequence[float]) -> float:
    """Semantic entropy with clusters weighted by the samples' probabilities (Farquhar et al. 2024, "Rao" form of the
    released code): p(C) is proportional to the sum over C of exp(mean token log-probability). 0 for no texts.

    Raises ValueError where the two differ in length.
    """
    logs = _cluster_logs(assignment, mean_token_logprobs)
    total = log_sum_exp(logs.values())
    return math.fsum(math.exp(log - total) * (total - log) for log in logs.values())


def kuhn_entropy(assignment: Sequence[int], mean_token_logprobs: Sequence[float]) -> float:
    """Semantic entropy as first released (Kuhn, Gal and Farquhar 2023, code): minus the plain mean over clusters of
    log sum exp(mean token log-probability) - 5. Neither the Rao form nor an estimate of an entropy: every cluster
    weighs the same, and the constant is there for its sign. 0 for no texts.

    Raises ValueError where the two differ in length.
    """
    logs = _cluster_logs(assignment, mean_token_logprobs)
    return -math.fsum(log - KUHN_SHIFT for log in logs.values()) / len(logs) if logs else 0.0


def polygraph_entropy(assignment: Sequence[int], sequence_logprobs: Sequence[float]) -> float:
    """Semantic entropy as lm-polygraph has it: minus the mean over texts of the log-probability of the text's cluster,
    which is the sum of the probabilities of the sequences in it, not normalised over clusters. 0 for no texts.

    Raises ValueError where the two differ in length.
    """
    logs = _cluster_logs(assignment, sequence_logprobs)
    return -math.fsum(logs[cluster] for cluster in assignment) / len(assignment) if assignment else 0.0


def predictive_entropy(sequence_logprobs: Sequence[float]) -> float:
    """Monte Carlo entropy over texts: minus the mean log-probability of whole samples. 0 for no samples."""
    return -math.fsum(sequence_logprobs) / len(sequence_logprobs) if sequence_logprobs else 0.0


def length_normalised_entropy(mean_token_logprobs: Sequence[float]) -> float:
    """`predictive_entropy` per token (Malinin and Gales 2021): from each sample's mean token log-probability."""
    return predictive_entropy(mean_token_logprobs)


def log_sum_exp(values: Iterable[float]) -> float:
    """Logarithm of the sum of exponentials, without overflow; -inf for no values."""
    values = tuple(values)
    top = max(values, default=-math.inf)
    return top if top == -math.inf else top + math.log(math.fsum(math.exp(value - top) for value in values))


def _cluster_logs(assignment: Sequence[int], logprobs: Sequence[float]) -> dict[int, float]:
    """The log-sum-exp of each cluster's log-probabilities."""
    members: dict[int, list[float]] = {}
    for cluster, logprob in zip(assignment, logprobs, strict=True):
        members.setdefault(cluster, []).append(logprob)
    return {cluster: log_sum_exp(logs) for cluster, logs in members.items()}
