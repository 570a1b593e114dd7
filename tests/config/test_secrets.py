"""Keys of upstreams: from the environment or a file, and never repeated in what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamroute.config.secrets import others_may_read, secret
from streamroute.errors import ConfigError


def test_a_key_is_read_from_the_environment_or_a_file_without_blanks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("  sk-file\n")
    monkeypatch.setenv("A_KEY", "sk-env\n")
    assert secret("upstream a", env="A_KEY") == "sk-env"
    assert secret("upstream a", env=None, file=str(tmp_path / "key")) == "sk-file"
    assert secret("upstream a", env=None) is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "is not text"),
        (b"sk-one\nsk-two", "holds more than one line"),
        ("sk-ü".encode(), "characters that no key has"),
        (b"sk-\r\nX-Injected: 1", "holds more than one line"),
    ],
)
def test_a_file_without_a_key_is_named_and_not_repeated(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=says) as caught:
        secret("upstream a", env=None, file=str(path))
    assert str(caught.value).startswith(f"upstream a: api_key_file: {path}")
    assert "sk-" not in str(caught.value)


def test_an_environment_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    with pytest.raises(ConfigError, match="upstream a: api_key_env: the environment variable A_KEY is not set"):
        secret("upstream a", env="A_KEY")


@pytest.mark.parametrize(("mode", "may"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_file_that_all_may_read_is_told_from_one_that_they_may_not(tmp_path: Path, mode: int, may: bool) -> None:
    path = tmp_path / "key"
    path.write_text("sk")
    path.chmod(mode)
    assert others_may_read(str(path)) is may
