from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamroute.errors import ConfigError, ModelFileError
from streamroute.models import store
from streamroute.models.store import default_models_dir, path_of, status, verify
from tests.models.places import CONTENT, entry, manifest


def place(folder: Path, content: bytes = CONTENT) -> Path:
    path = folder / "tiny.gguf"
    path.write_bytes(content)
    return path


def hashing_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise AssertionError("the file was hashed again")

    monkeypatch.setattr(store, "sha256_of", refuse)


def test_a_missing_file_is_missing_and_its_path_names_the_command_that_fetches_it(tmp_path: Path) -> None:
    assert status(entry(), models_dir=tmp_path).state == "missing"
    with pytest.raises(ModelFileError, match=r"tiny\.gguf is missing; `streamroute models pull tiny` fetches it"):
        path_of("tiny", models_dir=tmp_path, manifest=manifest())


def test_a_verified_file_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place(tmp_path)
    assert verify(entry(), models_dir=tmp_path).state == "ok"
    hashing_forbidden(monkeypatch)
    assert path_of("tiny", models_dir=tmp_path, manifest=manifest()) == path


def test_a_file_that_changed_since_is_hashed_again(tmp_path: Path) -> None:
    path = place(tmp_path)
    verify(entry(), models_dir=tmp_path)
    place(tmp_path, CONTENT[:-1] + b"?")
    os.utime(path, ns=(1, 1))
    found = status(entry(), models_dir=tmp_path)
    assert found.state == "corrupted"
    assert f"SHA-256 expected {entry().sha256}, found " in found.detail


def test_verify_hashes_even_what_was_verified_before(tmp_path: Path) -> None:
    path = place(tmp_path)
    verify(entry(), models_dir=tmp_path)
    before = path.stat()
    place(tmp_path, CONTENT[:-1] + b"?")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert status(entry(), models_dir=tmp_path).state == "ok"  # what the marker cannot know ...
    assert verify(entry(), models_dir=tmp_path).state == "corrupted"  # ... verification finds


def test_a_file_of_the_wrong_size_is_corrupted_without_being_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(tmp_path, CONTENT[:1000])
    hashing_forbidden(monkeypatch)
    with pytest.raises(ModelFileError, match=r"has 1000 bytes instead of 1048576; .* replaces it"):
        path_of("tiny", models_dir=tmp_path, manifest=manifest())


def test_a_damaged_marker_only_costs_a_hash(tmp_path: Path) -> None:
    place(tmp_path)
    verify(entry(), models_dir=tmp_path)
    (tmp_path / "tiny.gguf.verified.json").write_text("[1, 2")
    assert status(entry(), models_dir=tmp_path).state == "ok"


def test_verification_reports_its_progress_up_to_the_last_byte(tmp_path: Path) -> None:
    place(tmp_path)
    seen: list[int] = []
    verify(entry(), models_dir=tmp_path, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)


def test_a_path_of_the_users_own_is_taken_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"anything")
    assert path_of(str(own), manifest=manifest()) == own


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere\.gguf: no such model file"):
        path_of(str(tmp_path / "nowhere.gguf"), manifest=manifest())


def test_a_name_that_is_neither_known_nor_a_path_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="unknown model 'huge'; known are tiny"):
        path_of("huge", manifest=manifest())


def test_the_directory_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAMROUTE_MODELS", str(tmp_path / "own"))
    assert default_models_dir() == tmp_path / "own"
    monkeypatch.delenv("STREAMROUTE_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_models_dir() == tmp_path / "cache" / "streamroute" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_models_dir() == tmp_path / "home" / ".cache" / "streamroute" / "models"
