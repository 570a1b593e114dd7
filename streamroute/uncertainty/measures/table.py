"""Every measure of one set of samples, side by side under stable names."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from streamroute.uncertainty.measures import confidence, entropies, graph, kernel, lexical, selfcheck, snne
from streamroute.uncertainty.measures.posterior import posterior_entropy
from streamroute.uncertainty.measures.samples import SampleSet
from streamroute.uncertainty.normalize import normalize

__all__ = ("measure_all",)

Matrix = npt.NDArray[np.float64]
Values = dict[str, float | None]


def measure_all(samples: SampleSet) -> Values:
    """Every measure by its name, in nats or as its module says, HIGHER IS LESS CERTAIN for all: confidences are taken
    from one. None where an input is missing; the names are always the same, in the same order.

    Of no text, or one, the entropies and distances over the set are what their definitions give for texts that all
    agree; measures of the answer against samples are None without samples.
    """
    head = 0 if samples.answer_sampled else 1
    relations = samples.relations
    rouge = lexical.rouge_l_matrix(samples.texts)
    jaccard = lexical.jaccard_matrix(samples.texts)
    means = None if samples.mean_token_logprobs is None else samples.mean_token_logprobs[head:]
    pool = slice(head, None), slice(head, None)
    return {
        **_over_meanings(samples, head),
        **_snne("rouge-l", rouge[pool], means),
        **_snne("nli", None if relations is None else graph.agreement(relations[0])[pool], means),
        "dissimilarity-rouge-l": lexical.mean_dissimilarity(rouge[pool]),
        "dissimilarity-jaccard": lexical.mean_dissimilarity(jaccard[pool]),
        **_graphs(relations, jaccard, head),
        # Unlike Deg: of the probabilities as they are, and the answer is one of the texts that have to agree.
        "semantic-agreement": None if relations is None else graph.mean_disagreement(graph.agreement(relations[0])),
        "kle": None if relations is None else _kle(relations, pool),
        **_of_the_answer(samples),
        **_against_samples(samples),
    }


def _over_meanings(samples: SampleSet, head: int) -> Values:
    assignment = samples.assignment[head:]
    counts = list(Counter(assignment).values())
    values: Values = {
        "discrete-se": entropies.discrete_entropy(counts),
        "discrete-se-normalised": entropies.normalised_discrete_entropy(counts),
        "posterior-se": posterior_entropy(counts),
        "num-sets": float(len(counts)),
        **dict.fromkeys(("rao-se", "kuhn-se", "length-normalised-entropy", "polygraph-se", "predictive-entropy")),
    }
    if samples.mean_token_logprobs is not None:
        means = samples.mean_token_logprobs[head:]
        values["rao-se"] = entropies.rao_entropy(assignment, means)
        values["kuhn-se"] = entropies.kuhn_entropy(assignment, means)
        values["length-normalised-entropy"] = entropies.length_normalised_entropy(means)
    if samples.sequence_logprobs is not None:
        sums = samples.sequence_logprobs[head:]
        values["polygraph-se"] = entropies.polygraph_entropy(assignment, sums)
        values["predictive-entropy"] = entropies.predictive_entropy(sums)
    return values


def _snne(kind: str, similarity: Matrix | None, means: Sequence[float] | None) -> Values:
    values: Values = dict.fromkeys((f"snne-{kind}", f"snne-normalised-{kind}", f"wsnne-{kind}"))
    if similarity is not None:
        values[f"snne-{kind}"] = snne.snne(similarity)
        values[f"snne-normalised-{kind}"] = snne.normalised_snne(similarity)
        if means is not None:
            values[f"wsnne-{kind}"] = snne.weighted_snne(similarity, means)
    return values


def _graphs(relations: tuple[Matrix, Matrix, Matrix] | None, jaccard: Matrix, head: int) -> Values:
    affinities: Mapping[str, Matrix | None] = {"entailment": None, "contradiction": None, "jaccard": jaccard}
    if relations is not None:
        entailment, _, contradiction = graph.tempered(*relations)
        affinities = {
            "entailment": graph.agreement(entailment),
            "contradiction": graph.non_contradiction(contradiction),
            "jaccard": jaccard,
        }
    values: Values = {}
    for kind, affinity in affinities.items():
        values |= dict.fromkeys((f"eigv-{kind}", f"deg-{kind}", f"ecc-{kind}", f"answer-deg-{kind}"))
        if affinity is not None:
            pool = affinity[head:, head:]
            values[f"eigv-{kind}"] = graph.sum_of_eigenvalues(pool)
            values[f"deg-{kind}"] = graph.degree_uncertainty(pool)
            values[f"ecc-{kind}"] = graph.eccentricity(pool)
            if len(affinity):
                values[f"answer-deg-{kind}"] = 1 - float(graph.confidences(affinity)[0])
    return values


def _kle(relations: tuple[Matrix, Matrix, Matrix], pool: tuple[slice, slice]) -> float:
    entailment, neutral, _ = relations
    return kernel.kernel_language_entropy(kernel.entailment_weights(entailment, neutral)[pool])


def _of_the_answer(samples: SampleSet) -> Values:
    """What its log-probabilities alone say of the answer."""
    tokens, top, p_true = samples.answer_token_logprobs, samples.first_token_top_logprobs, samples.p_true_logprob
    mean, whole = _surprises(samples)
    return {
        "mean-token-surprise": mean,
        "sequence-surprise": whole,
        "least-token-surprise": confidence.least_token_surprise(tokens) if tokens is not None else None,
        "first-token-entropy": confidence.first_token_entropy(top) if top is not None else None,
        "p-true": confidence.p_true_uncertainty(p_true) if p_true is not None else None,
    }


def _surprises(samples: SampleSet) -> tuple[float | None, float | None]:
    """Of the answer's mean token and of all of it: by its own tokens, where those are known, for what is known of every
    text is often less."""
    if samples.answer_token_logprobs is not None:
        tokens = samples.answer_token_logprobs
        return confidence.mean_token_surprise(tokens), -math.fsum(tokens)
    means, sums = samples.mean_token_logprobs, samples.sequence_logprobs
    return -means[0] if means else None, -sums[0] if sums else None


def _against_samples(samples: SampleSet) -> Values:
    """How the samples bear the answer out, by the relations of both."""
    values: Values = dict.fromkeys(
        (
            "selfcheck-nli-sample-premise",
            "selfcheck-nli-answer-premise",
            "cocoa-msp",
            "cocoa-ppl",
            "semantic-density",
            "bsdetector",
        )
    )
    if samples.relations is None or len(samples.texts) < 2:
        return values
    entailment, neutral, contradiction = samples.relations
    for name, e, d in (
        ("selfcheck-nli-sample-premise", entailment[1:, 0], contradiction[1:, 0]),
        ("selfcheck-nli-answer-premise", entailment[0, 1:], contradiction[0, 1:]),
    ):
        values[name] = float(selfcheck.sentence_scores(e[None], d[None])[0])
    similarities = graph.agreement(entailment)[0, 1:].tolist()
    mean, whole = _surprises(samples)
    values["cocoa-msp"] = None if whole is None else confidence.cocoa(whole, similarities)
    values["cocoa-ppl"] = None if mean is None else confidence.cocoa(mean, similarities)
    if samples.mean_token_logprobs is not None:
        # Every different text once; of equal ones the first stands for all. The answer is the premise, as released.
        once = [i for i in range(1, len(samples.texts)) if samples.texts[i] not in samples.texts[1:i]]
        means = [samples.mean_token_logprobs[i] for i in once]
        density = confidence.semantic_density(means, neutral[0, once].tolist(), contradiction[0, once].tolist())
        values["semantic-density"] = 1 - density
    if samples.p_true_logprob is not None:
        same = [normalize(text) == normalize(samples.texts[0]) for text in samples.texts[1:]]
        values["bsdetector"] = 1 - confidence.bsdetector(
            float(graph.non_contradiction(contradiction)[0, 1:].mean()),
            sum(same) / len(same),
            1 - confidence.p_true_uncertainty(samples.p_true_logprob),
        )
    return values
