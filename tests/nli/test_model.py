"""On the real bundled model: only facts that hold for any training of it, of one direction or of two. And on a tiny
network of two directions, whose answers are known."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from streamroute.errors import ModelFileError
from streamroute.nli.manifest import LABELS, ModelSpec, bundled_manifest, read_manifest
from streamroute.nli.model import CrossEncoder, load_bundled
from streamroute.uncertainty.base import Pair, Relation, Relations
from tests.nli.tiny_onnx import two_directions

PAIRS = [
    Pair("", "A man is asleep on the sofa.", "A man is asleep on the sofa."),
    Pair("What is the capital of Australia?", "Canberra", "Sydney"),
    Pair("", "", ""),
    Pair("", "x", "The bridge was opened in 1937 after four years of work, and thousands came to walk across it. " * 3),
    Pair("\U0001f914?", "\U0001f600 \u4f60\u597d", "?"),
]
RAIN = "It rained all day in the town by the sea. "


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    models, default = read_manifest(bundled_manifest())
    return models[default]


@pytest.fixture(scope="module")
def model(spec: ModelSpec) -> CrossEncoder:
    return CrossEncoder(spec)


@pytest.fixture(scope="module")
def not_id(spec: ModelSpec) -> int:
    token = Tokenizer.from_file(str(spec.tokenizer)).token_to_id("not")
    assert token is not None
    return token


@pytest.fixture
def tiny(spec: ModelSpec, not_id: int, tmp_path: Path) -> ModelSpec:
    return holding(spec, tmp_path / "tiny.onnx", two_directions(not_id))


def holding(spec: ModelSpec, path: Path, content: bytes) -> ModelSpec:
    """A model of two directions that is `content`, written to `path`."""
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return replace(spec, path=path, sha256=digest, size=len(content), labels=LABELS, directions=2)


def test_relations_are_probabilities_in_the_order_of_the_pairs(model: CrossEncoder) -> None:
    found = model.relations(PAIRS)
    assert len(found) == len(PAIRS)
    for pair, relations in zip(PAIRS, found, strict=True):
        for relation in relations:
            assert sum(relation) == pytest.approx(1)
            assert min(relation) >= 0
        # Activations are quantised over a batch, so neighbours move a probability a little; order must not.
        np.testing.assert_allclose(model.relations([pair])[0], relations, atol=0.2)
    assert model.relations([]) == []


def test_the_same_batch_gives_the_same_numbers(model: CrossEncoder) -> None:
    assert model.relations(PAIRS) == model.relations(PAIRS)


def test_an_identical_sentence_is_entailed_both_ways(model: CrossEncoder) -> None:
    for relation in model.relations([PAIRS[0]])[0]:
        assert relation.entailment == max(relation)


def test_a_long_text_loses_its_end_and_the_other_nothing(model: CrossEncoder) -> None:
    text = "A man is asleep on the sofa. "
    long, longer, other = (
        model.relations([Pair("", text + RAIN * count, claim)])
        for count, claim in ((40, "The man is not asleep."), (80, "The man is not asleep."), (40, "It rained."))
    )
    assert long == longer
    assert other != long


def test_a_text_longer_than_the_model_leaves_room_for_the_other(model: CrossEncoder) -> None:
    first, second = (model.relations([Pair("", text, RAIN * 60)]) for text in ("It was dry.", "Rain fell on the town."))
    assert first != second


def test_of_a_long_context_the_end_is_read(model: CrossEncoder) -> None:
    long, longer, other = (
        model.relations([Pair(RAIN * count + asked, "Canberra", "Sydney")])
        for count, asked in ((40, "Where is it?"), (80, "Where is it?"), (40, "Who was there with them that day?"))
    )
    assert long == longer
    assert other != long


STRINGS = {
    "empty": "",
    "blank": " \n\t ",
    "punctuation": "?!\u2026--",
    "one word of 1 MB": "x" * 1_000_000,
    "1 MB of sentences": RAIN * 25_000,
    "1 MB of ideographs": "\u4f60" * 1_000_000,
    "emoji": "\U0001f600\u200d\U0001f469" * 90,
    "half a surrogate": "\ud800",
    "half a surrogate inside": "a\udfff b",
    "control characters": "\x00\x01\x1b[31m\x7f",
    "mixed scripts": "Z\u00fcrich \u0421\u043e\u0444\u0438\u044f \u0639\u0645\u0651\u0627\u0646 \u4eac",
    "accents without end": "e" + "\u0301" * 5_000,
    "right to left": "\u202eabc",
    "special tokens": "[SEP] [CLS] [PAD] [MASK]",
}


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS.keys())
def test_any_string_has_relations(model: CrossEncoder, text: str) -> None:
    found = model.relations([Pair("", text, "red"), Pair("", "red", text), Pair(text, text, text), Pair(text, "", "")])
    for relations in found:
        for relation in relations:
            assert sum(relation) == pytest.approx(1)
            assert min(relation) >= 0


def test_a_text_that_spells_a_special_token_stays_a_text(model: CrossEncoder) -> None:
    spelt, inside = model.relations([Pair("", "red [SEP] blue", "red")]), model.relations([Pair("", "red", "blue red")])
    lower = model.relations([Pair("", "red [sep] blue", "red")])
    assert spelt == lower != inside


def test_labels_in_another_order_are_found_out(spec: ModelSpec) -> None:
    with pytest.raises(ModelFileError, match="labels are not in the order contradiction, neutral, entailment"):
        CrossEncoder(replace(spec, labels=tuple(reversed(LABELS))))


def test_bytes_that_are_no_model_are_named(spec: ModelSpec, tmp_path: Path) -> None:
    junk = holding(spec, tmp_path / "junk.onnx", b"junk")
    with pytest.raises(ModelFileError, match=r"junk\.onnx: not a model"):
        CrossEncoder(junk)
    with pytest.raises(ModelFileError, match=r"junk\.onnx: not a tokenizer"):
        CrossEncoder(replace(spec, tokenizer=junk.path, tokenizer_sha256=junk.sha256))


def test_a_vocabulary_without_the_tokens_between_texts_is_named(spec: ModelSpec, tmp_path: Path) -> None:
    other = holding(spec, tmp_path / "words.json", spec.tokenizer.read_bytes().replace(b"[CLS]", b"[BOS]"))
    with pytest.raises(ModelFileError, match=r"words\.json: has no \[CLS\] or no \[SEP\]"):
        CrossEncoder(replace(spec, tokenizer=other.path, tokenizer_sha256=other.sha256))


def test_inputs_that_nobody_can_fill_are_named(tiny: ModelSpec, tmp_path: Path) -> None:
    content = tiny.path.read_bytes().replace(b"attention_mask", b"attention_musk")
    with pytest.raises(ModelFileError, match=r"unknown inputs .*attention_musk"):
        CrossEncoder(holding(tiny, tmp_path / "other.onnx", content))


def test_logits_that_are_not_finite_are_found_out(tiny: ModelSpec, not_id: int, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"self-test failed .*not finite"):
        CrossEncoder(holding(tiny, tmp_path / "nan.onnx", two_directions(not_id, weight=float("nan"))))


def test_a_network_of_two_directions_says_both_from_one_row(tiny: ModelSpec) -> None:
    plain, denied, swapped, asked = CrossEncoder(tiny).relations(
        [
            Pair("", "It is red.", "It is red."),
            Pair("", "It is red.", "It is not red."),
            Pair("", "It is not red.", "It is red."),
            Pair("Is it not red?", "It is red.", "It is red."),
        ]
    )
    assert [_label(relation) for relation in plain] == ["entailment", "entailment"]
    assert [_label(relation) for relation in denied] == ["contradiction", "entailment"]
    assert swapped == denied.swapped()
    # The context is none of the texts, and the network sees that it is there.
    assert _rounded(asked) == _rounded(Relations(Relation(0.4223, 0.4223, 0.1554), Relation(0.4223, 0.4223, 0.1554)))


def test_the_order_of_labels_holds_for_each_direction(tiny: ModelSpec) -> None:
    with pytest.raises(ModelFileError, match="labels are not in the order contradiction, entailment, neutral"):
        CrossEncoder(replace(tiny, labels=("contradiction", "entailment", "neutral")))


def test_another_number_of_logits_than_promised_is_found_out(tiny: ModelSpec, spec: ModelSpec) -> None:
    with pytest.raises(ModelFileError, match=r"self-test failed .* shape \(\d, 6\), not 3 a row"):
        CrossEncoder(replace(tiny, directions=1))
    with pytest.raises(ModelFileError, match=r"self-test failed .* shape"):
        CrossEncoder(replace(spec, directions=3 - spec.directions))


async def test_the_bundled_model_answers_through_its_worker() -> None:
    worker = load_bundled()
    try:
        found = await worker.relations(PAIRS[:2])
    finally:
        await worker.aclose()
    assert [sum(relation) for relations in found for relation in relations] == pytest.approx([1, 1, 1, 1])


def test_an_unknown_name_lists_the_known_ones(spec: ModelSpec) -> None:
    with pytest.raises(ModelFileError, match=rf"no model 'large' \(there are: .*{spec.name}"):
        load_bundled("large")


def _label(relation: Relation) -> str:
    return LABELS[int(np.argmax(relation))]


def _rounded(relations: Relations) -> list[list[float]]:
    return [[round(value, 4) for value in relation] for relation in relations]
