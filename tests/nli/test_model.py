"""On the real bundled model: only facts that hold for any training of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamroute.errors import ModelFileError
from streamroute.nli.manifest import LABELS, ModelSpec, bundled_manifest, read_manifest
from streamroute.nli.model import CrossEncoder, load_bundled

PAIRS = [
    ("A man is asleep on the sofa.", "A man is asleep on the sofa."),
    ("What is the capital of Australia? Canberra", "What is the capital of Australia? Sydney"),
    ("", ""),
    ("x", "The bridge was opened in 1937 after four years of work, and thousands came to walk across it. " * 3),
    ("\U0001f600 \u4f60\u597d", "?"),
]


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    models, default = read_manifest(bundled_manifest())
    return models[default]


@pytest.fixture(scope="module")
def model(spec: ModelSpec) -> CrossEncoder:
    return CrossEncoder(spec)


def test_relations_are_probabilities_in_the_order_of_the_pairs(model: CrossEncoder) -> None:
    found = model.relations(PAIRS)
    assert len(found) == len(PAIRS)
    for pair, relation in zip(PAIRS, found, strict=True):
        assert sum(relation) == pytest.approx(1)
        assert min(relation) >= 0
        # Activations are quantised over a batch, so neighbours move a probability a little; order must not.
        np.testing.assert_allclose(model.relations([pair])[0], relation, atol=0.2)
    assert model.relations([]) == []


def test_the_same_batch_gives_the_same_numbers(model: CrossEncoder) -> None:
    assert model.relations(PAIRS) == model.relations(PAIRS)


def test_an_identical_sentence_is_entailed(model: CrossEncoder) -> None:
    relation = model.relations([PAIRS[0]])[0]
    assert relation.entailment == max(relation)


def test_a_long_premise_loses_its_end_and_the_hypothesis_nothing(model: CrossEncoder) -> None:
    hypothesis = "The man is not asleep."
    premise = "A man is asleep on the sofa. "
    filler = "It rained all day in the town by the sea. "
    long, longer = (
        model.relations([(premise + filler * 40, hypothesis)]),
        model.relations([(premise + filler * 80, hypothesis)]),
    )
    assert long == longer
    other = model.relations([(premise + filler * 40, "It rained.")])
    assert other != long


def test_a_hypothesis_longer_than_the_model_still_leaves_room_for_a_premise(model: CrossEncoder) -> None:
    endless = "It rained all day in the town by the sea. " * 60
    first, second = (model.relations([(premise, endless)])[0] for premise in ("It was dry.", "Rain fell on the town."))
    assert first != second


def test_labels_in_another_order_are_found_out(spec: ModelSpec) -> None:
    with pytest.raises(ModelFileError, match="labels are not in the order contradiction, neutral, entailment"):
        CrossEncoder(replace(spec, labels=tuple(reversed(LABELS))))


def test_bytes_that_are_no_model_are_named(spec: ModelSpec, tmp_path: Path) -> None:
    import hashlib

    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"junk")
    digest = hashlib.sha256(b"junk").hexdigest()
    with pytest.raises(ModelFileError, match=r"junk\.onnx: not a model"):
        CrossEncoder(replace(spec, path=junk, sha256=digest, size=4))
    with pytest.raises(ModelFileError, match=r"junk\.onnx: not a tokenizer"):
        CrossEncoder(replace(spec, tokenizer=junk, tokenizer_sha256=digest))


async def test_the_bundled_model_answers_through_its_worker() -> None:
    worker = load_bundled()
    try:
        relations = await worker.relations(PAIRS[:2])
    finally:
        await worker.aclose()
    assert [sum(relation) for relation in relations] == pytest.approx([1, 1])


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelFileError, match=r"no model 'large' \(there are: judge-minilm-l6-int8\)"):
        load_bundled("large")
