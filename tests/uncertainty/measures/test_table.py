import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamroute.uncertainty.measures.samples import SampleSet
from streamroute.uncertainty.measures.table import measure_all
from tests.uncertainty.measures.matrices import relations

NAMES = [
    "discrete-se", "discrete-se-normalised", "posterior-se", "num-sets",
    "rao-se", "kuhn-se", "length-normalised-entropy", "polygraph-se", "predictive-entropy",
    "snne-rouge-l", "snne-normalised-rouge-l", "wsnne-rouge-l",
    "snne-nli", "snne-normalised-nli", "wsnne-nli",
    "dissimilarity-rouge-l", "dissimilarity-jaccard",
    "eigv-entailment", "deg-entailment", "ecc-entailment", "answer-deg-entailment",
    "eigv-contradiction", "deg-contradiction", "ecc-contradiction", "answer-deg-contradiction",
    "eigv-jaccard", "deg-jaccard", "ecc-jaccard", "answer-deg-jaccard",
    "semantic-agreement",
    "kle",
    "mean-token-surprise", "sequence-surprise", "least-token-surprise", "first-token-entropy", "p-true",
    "selfcheck-nli-sample-premise", "selfcheck-nli-answer-premise",
    "cocoa-msp", "cocoa-ppl", "semantic-density", "bsdetector",
]  # fmt: skip
NEEDS_RELATIONS = {
    "snne-nli", "snne-normalised-nli", "wsnne-nli", "kle", "cocoa-msp", "cocoa-ppl", "semantic-density", "bsdetector",
    "selfcheck-nli-sample-premise", "selfcheck-nli-answer-premise",
    "eigv-entailment", "deg-entailment", "ecc-entailment", "answer-deg-entailment",
    "eigv-contradiction", "deg-contradiction", "ecc-contradiction", "answer-deg-contradiction", "semantic-agreement",
}  # fmt: skip
NEEDS_MEANS = {
    "rao-se", "kuhn-se", "length-normalised-entropy", "wsnne-rouge-l", "wsnne-nli", "semantic-density"
}  # fmt: skip
NEEDS_SUMS = {"polygraph-se", "predictive-entropy"}
NEEDS_TOKENS = {"least-token-surprise"}
# The answer's own tokens do for these as well.
NEEDS_MEAN_OF_ANSWER = {"mean-token-surprise", "cocoa-ppl"}
NEEDS_SUM_OF_ANSWER = {"sequence-surprise", "cocoa-msp"}


def directed(n: int, value: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.full((n, n), value)


def whole(n: int, *, agree: bool) -> SampleSet:
    """All inputs, of texts that all agree and are sure, or that all differ and are not."""
    return SampleSet(
        texts=["one red fox"] * n if agree else [f"word{i}" for i in range(n)],
        assignment=[0] * n if agree else list(range(n)),
        # So sure that the softmax at temperature 3 still is.
        entailment=directed(n, 0.9998 if agree else 0.0001),
        neutral=directed(n, 0.0001),
        contradiction=directed(n, 0.0001 if agree else 0.9998),
        mean_token_logprobs=[-0.01 if agree else -3.0] * n,
        sequence_logprobs=[-0.03 if agree else -9.0] * n,
        answer_token_logprobs=[-0.01] * 3 if agree else [-2.0, -5.0, -2.0],
        first_token_top_logprobs=[-0.001, -9.0] if agree else [-1.0, -1.1],
        p_true_logprob=-0.01 if agree else -3.0,
    )


@pytest.mark.parametrize("n", [2, 5])
def test_every_measure_is_higher_where_texts_differ_than_where_they_agree(n: int) -> None:
    agreeing, differing = measure_all(whole(n, agree=True)), measure_all(whole(n, agree=False))
    assert list(agreeing) == list(differing) == NAMES
    for name in NAMES:
        low, high = agreeing[name], differing[name]
        assert low is not None
        assert high is not None
        assert low < high, name


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ({"entailment": None, "neutral": None, "contradiction": None}, NEEDS_RELATIONS),
        ({"mean_token_logprobs": None}, NEEDS_MEANS),
        ({"sequence_logprobs": None}, NEEDS_SUMS),
        ({"answer_token_logprobs": None}, NEEDS_TOKENS),
        (
            {"answer_token_logprobs": None, "mean_token_logprobs": None},
            NEEDS_TOKENS | NEEDS_MEANS | NEEDS_MEAN_OF_ANSWER,
        ),
        ({"answer_token_logprobs": None, "sequence_logprobs": None}, NEEDS_TOKENS | NEEDS_SUMS | NEEDS_SUM_OF_ANSWER),
        ({"first_token_top_logprobs": None}, {"first-token-entropy"}),
        ({"p_true_logprob": None}, {"p-true", "bsdetector"}),
    ],
)
def test_what_has_no_input_is_none_and_nothing_else(without: dict[str, None], missing: set[str]) -> None:
    found = measure_all(replace(whole(4, agree=False), **without))  # type: ignore[arg-type]
    assert {name for name, value in found.items() if value is None} == missing


@pytest.mark.parametrize("n", [0, 1, 2, 200])
@pytest.mark.parametrize("agree", [True, False])
@pytest.mark.parametrize("sampled", [True, False])
def test_any_number_of_texts_has_finite_values(n: int, agree: bool, sampled: bool) -> None:
    values = measure_all(replace(whole(n, agree=agree), answer_sampled=sampled))
    assert list(values) == NAMES
    assert all(value is None or math.isfinite(value) for value in values.values())
    against_samples = [values[name] for name in ("cocoa-msp", "cocoa-ppl", "semantic-density", "bsdetector")]
    assert all((value is None) == (n < 2) for value in against_samples)


SETS = st.integers(2, 5).flatmap(
    lambda n: st.builds(
        lambda texts, assignment, rel, means, sums: SampleSet(
            texts=texts,
            assignment=assignment,
            entailment=rel[0],
            neutral=rel[1],
            contradiction=rel[2],
            mean_token_logprobs=means,
            sequence_logprobs=sums,
            p_true_logprob=-0.5,
        ),
        st.lists(st.text("ab ", max_size=5), min_size=n, max_size=n, unique=True),
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
        relations(n),
        st.lists(st.floats(-5, 0), min_size=n, max_size=n),
        st.lists(st.floats(-50, 0), min_size=n, max_size=n),
    )
)


@settings(max_examples=40)
@given(SETS, st.data())
def test_the_order_of_samples_after_the_answer_does_not_matter(samples: SampleSet, data: st.DataObject) -> None:
    assert samples.relations is not None
    assert samples.mean_token_logprobs is not None
    assert samples.sequence_logprobs is not None
    order = [0, *data.draw(st.permutations(range(1, len(samples.texts))))]
    entailment, neutral, contradiction = (matrix[np.ix_(order, order)] for matrix in samples.relations)
    shuffled = replace(
        samples,
        texts=[samples.texts[i] for i in order],
        assignment=[samples.assignment[i] for i in order],
        entailment=entailment,
        neutral=neutral,
        contradiction=contradiction,
        mean_token_logprobs=[samples.mean_token_logprobs[i] for i in order],
        sequence_logprobs=[samples.sequence_logprobs[i] for i in order],
    )
    before, after = measure_all(samples), measure_all(shuffled)
    for name, value in before.items():
        if not name.startswith("ecc-"):  # an eigenvalue may lie on the cut, where rounding decides
            assert after[name] == (None if value is None else pytest.approx(value, abs=1e-9)), name


def test_directions_are_not_mixed_up() -> None:
    # The sample contradicts the answer; read the other way, it follows from it.
    entailment = np.array([[1, 0.9], [0.1, 1]])
    neutral = np.array([[0, 0.1], [0.0, 0]])
    contradiction = np.array([[0, 0.0], [0.9, 0]])
    found = measure_all(
        SampleSet(
            texts=["a", "b"],
            assignment=[0, 1],
            entailment=entailment,
            neutral=neutral,
            contradiction=contradiction,
            mean_token_logprobs=[-1.0, -2.0],
        )
    )
    assert found["selfcheck-nli-sample-premise"] == pytest.approx(0.9)
    assert found["selfcheck-nli-answer-premise"] == pytest.approx(0)
    assert found["semantic-density"] == pytest.approx(0.05)  # the answer is the premise: 1 - (1 - 0.1 / 2)
    assert found["cocoa-ppl"] == pytest.approx(1.0 * (1 - 0.5))


def test_a_greedy_answer_is_compared_but_not_counted() -> None:
    greedy = replace(whole(3, agree=False), assignment=[0, 1, 1], answer_sampled=False)
    found = measure_all(greedy)
    assert found["discrete-se"] == 0
    assert found["num-sets"] == 1
    assert found["deg-entailment"] == pytest.approx(
        measure_all(replace(whole(2, agree=False), assignment=[1, 1]))["deg-entailment"]
    )
    assert found["answer-deg-entailment"] == measure_all(replace(greedy, answer_sampled=True))["answer-deg-entailment"]


def test_the_surprise_of_the_answer_is_that_of_its_tokens_or_what_is_known_of_all_texts() -> None:
    samples = replace(whole(3, agree=False), answer_token_logprobs=[-1.0, -5.0])
    by_tokens, by_texts = measure_all(samples), measure_all(replace(samples, answer_token_logprobs=None))
    assert (by_tokens["mean-token-surprise"], by_tokens["sequence-surprise"]) == (3, 6)
    assert (by_texts["mean-token-surprise"], by_texts["sequence-surprise"]) == (3, 9)
    assert by_tokens["cocoa-msp"] == pytest.approx(6 * (1 - 0.0001))


def test_agreement_is_of_every_pair_the_answer_among_them() -> None:
    entailment = np.array([[1, 0.9, 0.1], [0.7, 1, 0.2], [0.3, 0.0, 1]])
    samples = SampleSet(
        texts=["a", "b", "c"],
        assignment=[0, 0, 1],
        entailment=entailment,
        neutral=1 - entailment,
        contradiction=np.zeros((3, 3)),
        answer_sampled=False,
    )
    for each in (samples, replace(samples, answer_sampled=True)):
        assert measure_all(each)["semantic-agreement"] == pytest.approx(1 - (0.8 + 0.2 + 0.1) / 3)


def test_a_sample_said_twice_counts_once_in_the_density_and_twice_elsewhere() -> None:
    texts = ["a", "b", "b", "c"]
    relation = np.full((4, 4), 0.0)
    relation[0, 1:] = [0.0, 0.0, 1.0]
    samples = SampleSet(
        texts=texts,
        assignment=[0, 1, 1, 0],
        entailment=relation,
        neutral=np.zeros((4, 4)),
        contradiction=1 - relation,
        mean_token_logprobs=[-1.0] * 4,
    )
    found = measure_all(samples)
    assert found["semantic-density"] == pytest.approx(1 / 2)
    assert found["selfcheck-nli-answer-premise"] == pytest.approx(2 / 3)
