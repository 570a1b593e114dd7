"""`streamroute keys`: what is printed can be pasted, and opens the gateway."""

from __future__ import annotations

import io

import pytest

from streamroute.cli.main import main
from streamroute.config.load import loads
from streamroute.config.settings import BudgetSettings
from streamroute.gateway.access.auth import Keyring, hash_of, new_key
from tests.gateway.two_tiers import CONFIG

GATEWAY = CONFIG.format(cheap="http://h/v1", large="http://h/v1")


def test_the_table_goes_to_the_output_and_the_key_is_shown_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--route", "auto", "--route", "cheap", "--requests-per-minute", "60", "--day", "1.5", "--month", "20"]
    assert main(["keys", "new", "ci@team", *asked, "--board"]) == 0
    told = capsys.readouterr()
    key = told.err.rpartition(" ")[2].strip()
    assert key not in told.out
    (settings,) = loads(GATEWAY + told.out).keys
    assert Keyring([settings]).client({"Authorization": f"Bearer {key}"}).name == "ci@team"
    assert settings.routes == ("auto", "cheap")
    assert (settings.requests_per_minute, settings.budget) == (60, BudgetSettings(day=1.5, month=20.0))
    assert settings.board


def test_what_is_not_asked_for_is_not_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "new", "ci"]) == 0
    assert [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines()] == ["[[key]]", "name", "hash"]


@pytest.mark.parametrize("name", ["", "two words", 'a"b', "-x", "a\nb"])
def test_a_name_that_no_table_may_have_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["keys", "new", "--", name])
    assert caught.value.code == 2
    assert capsys.readouterr().out == ""


def test_a_key_of_ones_own_is_hashed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    key = new_key()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}\n"))
    assert main(["keys", "hash"]) == 0
    assert capsys.readouterr().out == f"{hash_of(key)}\n"


@pytest.mark.parametrize("key", ["", "short", "x" * 31, "two words " * 8, "ü" * 40, "x" * 40 + "\n" + "y" * 40])
def test_a_key_that_is_none_or_could_be_guessed_is_not(
    key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(key))
    assert main(["keys", "hash"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(key) < 5 or key not in told.err
