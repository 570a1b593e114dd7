import hashlib
from pathlib import Path

import pytest

from streamroute.errors import ModelFileError
from streamroute.nli.manifest import LABELS, bundled_manifest, read_manifest

MODEL, VOCABULARY = b"weights", b"words"
ENTRY = {
    "file": '"model.onnx"',
    "sha256": f'"{hashlib.sha256(MODEL).hexdigest()}"',
    "size": str(len(MODEL)),
    "tokenizer": '"tokenizer.json"',
    "tokenizer_sha256": f'"{hashlib.sha256(VOCABULARY).hexdigest()}"',
    "labels": '["contradiction", "entailment", "neutral"]',
    "max_tokens": "128",
    "licence": '"Apache-2.0"',
    "origin": '"here"',
}


def write(folder: Path, changes: dict[str, str | None] | None = None, *, head: str = "") -> Path:
    """A manifest with one model, beside the files it names; a key set to None is left out."""
    (folder / "model.onnx").write_bytes(MODEL)
    (folder / "tokenizer.json").write_bytes(VOCABULARY)
    lines = [f"{key} = {value}" for key, value in (ENTRY | (changes or {})).items() if value is not None]
    path = folder / "manifest.toml"
    path.write_text("\n".join([head, "[models.judge]", *lines, ""]))
    return path


def test_reads_what_is_there_and_fills_in_defaults(tmp_path: Path) -> None:
    models, default = read_manifest(write(tmp_path))
    spec = models[default]
    assert spec.name == default == "judge"
    assert spec.labels == ("contradiction", "entailment", "neutral")
    assert (spec.directions, spec.threads, spec.disabled_optimizers) == (1, 1, ())
    assert spec.verified() == (MODEL, VOCABULARY)


def test_a_model_may_give_both_directions_of_a_row(tmp_path: Path) -> None:
    models, default = read_manifest(write(tmp_path, {"directions": "2"}))
    assert models[default].directions == 2


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"sha256": None}, "sha256 is missing"),
        ({"size": '"7"'}, "size must be of type int, not str"),
        ({"size": "true"}, "size must be of type int, not bool"),
        ({"sha256": '"abc"'}, "sha256 must be 64"),
        ({"labels": '["yes", "no"]'}, "labels must be entailment, neutral, contradiction"),
        ({"threads": "0"}, "threads must be at least 1"),
        ({"max_tokens": "7"}, "max_tokens must be at least 8"),
        ({"directions": "3"}, "directions must be 1 or 2"),
        ({"directions": '"2"'}, "directions must be of type int, not str"),
        ({"thread": "1"}, "unknown key 'thread'"),
    ],
)
def test_a_wrong_entry_names_file_model_and_key(tmp_path: Path, changes: dict[str, str | None], names: str) -> None:
    path = write(tmp_path, changes)
    with pytest.raises(ModelFileError) as caught:
        read_manifest(path)
    assert names in str(caught.value)
    assert f"{path}: [models.judge]" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x = [", "not a readable TOML"),
        ("", "no [models.NAME]"),
        ("models = 3", "no [models.NAME]"),
        ("models.a = 3", "not a table"),
    ],
)
def test_a_file_that_is_no_manifest_says_so(tmp_path: Path, text: str, names: str) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(text)
    with pytest.raises(ModelFileError) as caught:
        read_manifest(path)
    assert names in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_default_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="'other' is none of its models"):
        read_manifest(write(tmp_path, head='default = "other"'))


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere\.toml: missing"):
        read_manifest(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_missing_or_changed_file_is_named(tmp_path: Path, name: str) -> None:
    models, default = read_manifest(write(tmp_path))
    file = tmp_path / name
    file.write_bytes(bytes(reversed(file.read_bytes())))
    with pytest.raises(ModelFileError, match=rf"{name}: SHA-256 is"):
        models[default].verified()
    file.unlink()
    with pytest.raises(ModelFileError, match=rf"{name}: missing"):
        models[default].verified()


def test_half_a_file_is_told_by_its_size(tmp_path: Path) -> None:
    models, default = read_manifest(write(tmp_path))
    (tmp_path / "model.onnx").write_bytes(MODEL[:3])
    with pytest.raises(ModelFileError, match=r"model\.onnx: 3 bytes where the manifest says 7"):
        models[default].verified()


def test_the_bundled_manifest_promises_what_lies_beside_it() -> None:
    models, default = read_manifest(bundled_manifest())
    spec = models[default]
    model, vocabulary = spec.verified()
    assert len(model) == spec.size <= 30_000_000
    assert vocabulary
    assert spec.labels == LABELS
