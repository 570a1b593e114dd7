import pytest

from streamroute.uncertainty.measures.families import Family, family
from tests.uncertainty.measures.test_table import NAMES


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Family.NEIGHBOURS, {"snne-rouge-l", "wsnne-nli"}),
        (Family.WORDS, {"dissimilarity-jaccard"}),
        (Family.GRAPH, {"eigv-jaccard", "deg-entailment", "ecc-contradiction", "semantic-agreement"}),
        (Family.KERNEL, {"kle"}),
        (Family.ANSWER, {"answer-deg-jaccard", "semantic-density", "bsdetector", "cocoa-ppl"}),
        (Family.ALONE, {"p-true", "first-token-entropy", "mean-token-surprise"}),
    ],
)
def test_a_measure_is_of_the_family_of_what_it_looks_at(kind: Family, names: set[str]) -> None:
    assert names <= {name for name in NAMES if family(name) is kind}


def test_the_rest_is_of_the_meanings() -> None:
    assert [name for name in NAMES if family(name) is Family.MEANINGS] == [
        "discrete-se", "discrete-se-normalised", "posterior-se", "num-sets",
        "rao-se", "kuhn-se", "length-normalised-entropy", "polygraph-se", "predictive-entropy",
    ]  # fmt: skip


def test_only_the_families_of_the_answer_need_one() -> None:
    assert [kind for kind in Family if kind.of_answer] == [Family.ANSWER, Family.ALONE]
