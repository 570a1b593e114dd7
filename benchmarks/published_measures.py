"""Our measures against published packages, on the same matrices and log-probabilities: ours, theirs, the difference.

    sh benchmarks/published_measures_setup.sh FOLDER
    FOLDER/bin/python -m benchmarks.published_measures [--sets 200] [--json]

The packages' models are bypassed: their estimators get the statistics that their models would have made, of random
sets of two to ten texts. Each row says whether the two should be equal, and if not, why they differ and which we
follow. Fails where two differ that should not.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import json
import math
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
PACKAGES = ("lm-polygraph", "uqlm", "selfcheckgpt")
# Their __init__ files import language models, servers and clients; ours the whole router.
BARE = (
    "streamroute", "lm_polygraph", "lm_polygraph.estimators", "lm_polygraph.utils",
    "uqlm", "uqlm.nli", "uqlm.utils", "uqlm.white_box",
)  # fmt: skip
EQUAL = 1e-6


def bare(package: str) -> None:
    """Make the modules of `package` importable without running its __init__."""
    found = importlib.util.find_spec(package)
    if found is None or found.submodule_search_locations is None:
        raise SystemExit(f"{package} is not installed: see published_measures_setup.sh")
    module = types.ModuleType(package)
    module.__path__ = list(found.submodule_search_locations)
    module.__spec__ = found
    sys.modules[package] = module


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Texts, the first the answer, with relations (row the premise, itself entailed) and each text's tokens' logs."""

    texts: list[str]
    assignment: list[int]
    entailment: Matrix
    neutral: Matrix
    contradiction: Matrix
    logprobs: list[list[float]]

    @property
    def sums(self) -> list[float]:
        return [math.fsum(tokens) for tokens in self.logprobs]

    @property
    def means(self) -> list[float]:
        return [math.fsum(tokens) / len(tokens) for tokens in self.logprobs]

    @property
    def counts(self) -> list[int]:
        return [self.assignment.count(cluster) for cluster in range(max(self.assignment) + 1)]

    @property
    def clusters(self) -> list[list[int]]:
        return [[i for i, c in enumerate(self.assignment) if c == k] for k in range(max(self.assignment) + 1)]


WORDS = ("the", "dog", "dogs", "was", "running", "runs", "quickly", "away", "home", "1936", "Berlin,", "it's", "Red.")


def questions(count: int) -> Iterator[Question]:
    random = np.random.default_rng(7)
    for _ in range(count):
        n = int(random.integers(2, 11))
        relations = random.dirichlet((0.5, 0.4, 0.5), size=(n, n))
        relations[np.arange(n), np.arange(n)] = (1.0, 0.0, 0.0)
        labels = random.integers(0, 4, size=n).tolist()
        order = list(dict.fromkeys(labels))
        yield Question(
            texts=[" ".join(random.choice(WORDS, size=random.integers(1, 7))) for _ in range(n)],
            assignment=[order.index(label) for label in labels],
            entailment=relations[:, :, 0].copy(),
            neutral=relations[:, :, 1].copy(),
            contradiction=relations[:, :, 2].copy(),
            logprobs=[(-random.exponential(0.7, size=random.integers(1, 9))).tolist() for _ in range(n)],
        )


Measure = Callable[[Question], float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of one package. `why` is empty where the two should be equal."""

    measure: str
    package: str
    ours: Measure
    theirs: Measure
    why: str = ""


def polygraph(module: str, name: str, **settings: object) -> Measure:
    """lm-polygraph's estimator `name`, given the statistics of one question."""
    made = getattr(importlib.import_module(f"lm_polygraph.estimators.{module}"), name)(**settings)
    return lambda q: float(made(statistics(q))[0])


def statistics(q: Question) -> dict[str, Any]:
    """What lm-polygraph's estimators take, a batch of one: the answer is its greedy text, and one of the samples."""
    classes = {"class_to_sample": [q.clusters], "sample_to_class": [dict(enumerate(q.assignment))]}
    return {
        "sample_texts": [q.texts],
        "sample_log_probs": [q.sums],
        "sample_tokens": [q.logprobs],
        "greedy_log_likelihoods": [q.logprobs[0]],
        "greedy_sentence_similarity": [likeness(q)],
        "semantic_classes_entail": classes,
        "semantic_matrix_entail": q.entailment[None],
        "semantic_matrix_contra": q.contradiction[None],
        "p_true": [q.means[0]],
    }


def likeness(q: Question) -> Matrix:
    """The answer's mean entailment with each sample."""
    return np.asarray((q.entailment[0, 1:] + q.entailment[1:, 0]) / 2, dtype=np.float64)


def entropies_against_polygraph() -> Iterator[Comparison]:
    from streamroute.uncertainty.measures import confidence, entropies

    default = polygraph("semantic_entropy", "SemanticEntropy")
    for name, ours, theirs, why in (
        ("polygraph-se", lambda q: entropies.polygraph_entropy(q.assignment, q.sums), default, ""),
        (
            "discrete-se",
            lambda q: entropies.discrete_entropy(q.counts),
            polygraph("semantic_entropy", "SemanticEntropy", class_probability_estimation="frequency"),
            "",
        ),
        (
            "rao-se",
            lambda q: entropies.rao_entropy(q.assignment, q.means),
            default,
            "its default is neither Farquhar's Rao form, which we follow, nor Kuhn's: it is polygraph-se",
        ),
        (
            "kuhn-se",
            lambda q: entropies.kuhn_entropy(q.assignment, q.means),
            default,
            "it cites Kuhn's paper; kuhn-se is that paper's code, a mean over clusters and not over texts, shifted",
        ),
        (
            "predictive-entropy",
            lambda q: entropies.predictive_entropy(q.sums),
            polygraph("monte_carlo_sequence_entropy", "MonteCarloSequenceEntropy"),
            "",
        ),
        (
            "length-normalised-entropy",
            lambda q: entropies.length_normalised_entropy(q.means),
            polygraph("monte_carlo_normalized_sequence_entropy", "MonteCarloNormalizedSequenceEntropy"),
            "",
        ),
        (
            "mean-token-surprise",
            lambda q: confidence.mean_token_surprise(q.logprobs[0]),
            polygraph("perplexity", "Perplexity"),
            "",
        ),
        (
            "p-true",
            lambda q: confidence.p_true_uncertainty(q.means[0]),
            polygraph("p_true", "PTrue"),
            "minus the log-probability, which ranks alike; we follow Farquhar's 1 - P, a probability",
        ),
    ):
        yield Comparison(name, "lm-polygraph", ours, theirs, why)


def graphs_against_polygraph() -> Iterator[Comparison]:
    from streamroute.uncertainty.measures import graph, kernel, lexical

    def tempered(q: Question) -> Matrix:
        return graph.agreement(graph.tempered(q.entailment, q.neutral, q.contradiction)[0])

    for name, module, cls, ours in (
        ("eigv", "eig_val_laplacian", "EigValLaplacian", graph.sum_of_eigenvalues),
        ("deg", "deg_mat", "DegMat", graph.degree_uncertainty),
        ("ecc", "eccentricity", "Eccentricity", graph.eccentricity),
    ):
        affinities: tuple[tuple[str, Callable[[Question], Matrix], dict[str, object], str], ...] = (
            ("entailment, temperature 1", lambda q: graph.agreement(q.entailment), {"affinity": "entail"}, ""),
            (
                "contradiction, temperature 1",
                lambda q: graph.non_contradiction(q.contradiction),
                {"affinity": "contra"},
                "",
            ),
            ("jaccard", lambda q: lexical.jaccard_matrix(q.texts), {"similarity_score": "Jaccard_score"}, ""),
            (
                "entailment",
                tempered,
                {"affinity": "entail"},
                "it takes the softmax at temperature 1; we follow the authors' code, which has 3",
            ),
        )
        for kind, affinity, settings, why in affinities:
            yield Comparison(
                f"{name}-{kind}", "lm-polygraph", _composed(ours, affinity), polygraph(module, cls, **settings), why
            )
    yield Comparison(
        "kle",
        "lm-polygraph",
        lambda q: kernel.kernel_language_entropy(kernel.entailment_weights(q.entailment, q.neutral)),
        polygraph("kernel_language_entropy", "KernelLanguageEntropy"),
    )
    yield Comparison(
        "num-sets",
        "lm-polygraph",
        lambda q: float(len(q.counts)),
        polygraph("num_sem_sets", "NumSemSets"),
        "it counts connected components of mutual e > d; we count the clusters of the entropies (random here)",
    )


def _composed(measure: Callable[[Matrix], float], affinity: Callable[[Question], Matrix]) -> Measure:
    return lambda q: measure(affinity(q))


def texts_against_polygraph() -> Iterator[Comparison]:
    from streamroute.uncertainty.measures import confidence, lexical, table
    from streamroute.uncertainty.measures.samples import SampleSet

    def dissimilarity(q: Question) -> float:
        return lexical.mean_dissimilarity(lexical.rouge_l_matrix(q.texts))

    plain = importlib.import_module("lm_polygraph.estimators.lexical_similarity").LexicalSimilarity()
    plain.scorer = importlib.import_module("rouge_score.rouge_scorer").RougeScorer(["rougeL"], use_stemmer=False)
    for name, theirs, why in (
        ("dissimilarity-rouge-l, no stemmer", lambda q: float(plain(statistics(q))[0]), ""),
        (
            "dissimilarity-rouge-l",
            polygraph("lexical_similarity", "LexicalSimilarity"),
            "it stems words; we follow the SNNE script, which does not",
        ),
    ):
        yield Comparison(name, "lm-polygraph", dissimilarity, theirs, why)

    yield Comparison(
        "cocoa-msp",
        "lm-polygraph",
        lambda q: confidence.cocoa(-q.sums[0], likeness(q).tolist()),
        polygraph("cocoa", "CocoaMSP"),
    )
    yield Comparison(
        "cocoa-ppl",
        "lm-polygraph",
        lambda q: confidence.cocoa(-q.means[0], likeness(q).tolist()),
        polygraph("cocoa", "CocoaPPL"),
    )

    density = importlib.import_module("lm_polygraph.estimators.semantic_density").SemanticDensity()

    def their_density(q: Question) -> float:
        apart = {
            "sample_log_probs": [q.sums[1:]],
            "sample_tokens": [q.logprobs[1:]],
            "sample_texts": [q.texts[1:]],
            "concat_greedy_semantic_matrix_contra_forward": [q.contradiction[0, 1:]],
            "concat_greedy_semantic_matrix_neutral_forward": [q.neutral[0, 1:]],
        }
        return 1 + float(density(statistics(q) | apart)[0])

    def with_itself(q: Question) -> float:
        kept = [0, *(i for i in range(1, len(q.texts)) if q.texts[i] not in q.texts[1:i])]
        means, neutral, contradiction = ([row[i] for i in kept] for row in (q.means, q.neutral[0], q.contradiction[0]))
        return 1 - confidence.semantic_density(means, neutral, contradiction)

    def tabled(q: Question) -> float:
        samples = SampleSet(
            texts=q.texts,
            assignment=q.assignment,
            entailment=q.entailment,
            neutral=q.neutral,
            contradiction=q.contradiction,
            mean_token_logprobs=q.means,
        )
        return table.measure_all(samples)["semantic-density"] or 0.0

    yield Comparison("semantic-density, answer counted", "lm-polygraph", with_itself, their_density)
    yield Comparison(
        "semantic-density",
        "lm-polygraph",
        tabled,
        their_density,
        "it counts the answer among the samples that bear it out; we follow the definition, a sum over samples",
    )


def against_uqlm() -> Iterator[Comparison]:
    from streamroute.uncertainty.measures import confidence, entropies

    utils = importlib.import_module("uqlm.nli.entropy_utils")
    least = importlib.import_module("uqlm.white_box.single_logprobs").SingleLogprobsScorer()

    def logprobs(q: Question) -> list[list[dict[str, float]]]:
        return [[{"logprob": value} for value in tokens] for tokens in q.logprobs]

    def entropy(q: Question, *, weighted: bool = False) -> float:
        by_token, uniform = utils.compute_response_probabilities(logprobs(q), num_responses=len(q.texts))
        shares = utils.compute_cluster_probabilities(by_token if weighted else uniform, q.clusters)
        return float(utils.compute_semantic_entropy(shares))

    for name, ours, theirs in (
        ("discrete-se", lambda q: entropies.discrete_entropy(q.counts), entropy),
        (
            "discrete-se-normalised",
            lambda q: entropies.normalised_discrete_entropy(q.counts),
            lambda q: float(utils.normalize_entropy([entropy(q)], len(q.texts) - 1)[0]),
        ),
        ("rao-se", lambda q: entropies.rao_entropy(q.assignment, q.means), lambda q: entropy(q, weighted=True)),
        (
            "mean-token-surprise",
            lambda q: confidence.mean_token_surprise(q.logprobs[0]),
            lambda q: -math.log(utils.length_norm_sequence_prob(logprobs(q)[0])),
        ),
        (
            "least-token-surprise",
            lambda q: confidence.least_token_surprise(q.logprobs[0]),
            lambda q: -math.log(least.evaluate([logprobs(q)[0]])["min_probability"][0]),
        ),
    ):
        yield Comparison(name, "uqlm", ours, theirs)


class _Encoded(dict[str, tuple[str, str]]):
    def to(self, _device: object) -> _Encoded:
        return self


def against_selfcheck() -> Iterator[Comparison]:
    from streamroute.uncertainty.measures import selfcheck

    check = importlib.import_module("selfcheckgpt.modeling_selfcheck").SelfCheckNLI
    torch = importlib.import_module("torch")

    def theirs(q: Question) -> float:
        """Their arithmetic and order of texts; the texts are numbers, by which the model finds its two logits."""

        def model(pair: tuple[str, str]) -> types.SimpleNamespace:
            premise, hypothesis = (int(text) for text in pair)
            both = q.entailment[premise, hypothesis], q.contradiction[premise, hypothesis]
            return types.SimpleNamespace(logits=torch.log(torch.tensor([both], dtype=torch.float64)))

        tokenizer = types.SimpleNamespace(
            batch_encode_plus=lambda batch_text_or_text_pairs, **_: _Encoded(pair=batch_text_or_text_pairs[0])
        )
        made = types.SimpleNamespace(tokenizer=tokenizer, model=model, device=None)
        return float(check.predict(made, ["0"], [str(i) for i in range(1, len(q.texts))])[0])

    def ours(entailment: Matrix, contradiction: Matrix) -> float:
        return float(selfcheck.sentence_scores(entailment[None], contradiction[None])[0])

    for name, score, why in (
        ("selfcheck-nli-answer-premise", lambda q: ours(q.entailment[0, 1:], q.contradiction[0, 1:]), ""),
        (
            "selfcheck-nli-sample-premise",
            lambda q: ours(q.entailment[1:, 0], q.contradiction[1:, 0]),
            "its code has the sentence as premise; we follow the paper: the sample, for it is the evidence",
        ),
    ):
        yield Comparison(name, "selfcheckgpt", score, theirs, why)


def clusters_of_an_intransitive_relation() -> dict[str, object]:
    """The clusters of A, B, C where A and C are equivalent, B and C are, and A and B are not."""
    from streamroute.uncertainty.measures.stability import Match, greedy_assignment

    equivalent = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 1]], dtype=bool)

    def results(pairs: Sequence[tuple[str, str]]) -> list[dict[str, object]]:
        found = [bool(equivalent["ABC".index(a), "ABC".index(b)]) for a, b in pairs]
        return [{"noncontradiction_score": 1.0, "entailment": same, "entailment_score": float(same)} for same in found]

    nli = types.SimpleNamespace(get_nli_results_batch=results)
    clusterer = importlib.import_module("uqlm.nli.cluster").SemanticClusterer(nli)
    theirs = [sorted(cluster) for cluster in clusterer.cluster_responses(list("ABC"))[1]]

    def ours(match: Match) -> list[list[int]]:
        found = greedy_assignment(equivalent, range(3), match=match)
        return [[i for i, cluster in enumerate(found) if cluster == k] for k in range(max(found) + 1)]

    return {"streamroute": ours(Match.FIRST), "farquhar": ours(Match.LAST), "uqlm": theirs}


def main() -> int:
    parser = argparse.ArgumentParser(description="Our measures against lm-polygraph, uqlm and selfcheckgpt.")
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="print the line of JSON only")
    args = parser.parse_args()
    for package in BARE:
        bare(package)
    sets = list(questions(args.sets))
    rows: list[dict[str, object]] = []
    unequal = 0
    for comparison in (
        *entropies_against_polygraph(),
        *graphs_against_polygraph(),
        *texts_against_polygraph(),
        *against_uqlm(),
        *against_selfcheck(),
    ):
        pairs = np.array([(comparison.ours(q), comparison.theirs(q)) for q in sets])
        ours, theirs = pairs.mean(axis=0)
        difference = float(np.abs(pairs[:, 0] - pairs[:, 1]).max())
        unequal += not comparison.why and not difference <= EQUAL
        rows.append(
            {
                "measure": comparison.measure,
                "package": comparison.package,
                "ours": round(float(ours), 6),
                "theirs": round(float(theirs), 6),
                "max_difference": float(f"{difference:.2g}"),
                "why": comparison.why,
            }
        )
        if not args.json:
            print(
                f"{comparison.measure:36} {comparison.package:13} ours {ours:10.6f} theirs {theirs:10.6f}"
                f" max difference {difference:8.1e}  {comparison.why}"
            )
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    clusters = clusters_of_an_intransitive_relation()
    print(json.dumps({"sets": args.sets, "versions": versions, "unequal": unequal, "clusters": clusters, "rows": rows}))
    return int(unequal > 0)


if __name__ == "__main__":
    sys.exit(main())
