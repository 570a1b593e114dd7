"""What is written is read again as it was, and what was not written so is refused by name."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.calibration.artefact import (
    Artefact,
    Binding,
    ScoreFit,
    dumps_artefact,
    loads_artefact,
    read_artefact,
    write_artefact,
)
from streamroute.calibration.recalibrate import Isotonic, Platt
from streamroute.core.types import Features
from streamroute.errors import ConfigError
from streamroute.uncertainty.fitted import Logistic
from tests.calibration.made import BINDING, artefact

X = Features(disagreement=0.5, contradiction=0.0, entropy=0.25, snne=0.0)
LOGISTIC = Logistic(-1.0, {"entropy": 2.0}, {"entropy": 0.4})


def test_an_artefact_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    for recalibration in (Platt(1.5, -0.2), Isotonic((0.1, 0.7), (0.0, 1.0))):
        for logistic in (None, LOGISTIC):
            made = artefact(score=ScoreFit.of(recalibration, logistic))
            write_artefact(made, path)
            assert read_artefact(path) == made


@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(0, 1))
def test_any_name_and_number_comes_back(name: str, tau: float) -> None:
    made = artefact(
        binding=msgspec.structs.replace(BINDING, cheap=name),
        score=ScoreFit.of(Platt(tau, -tau), Logistic(tau, {"entropy": tau}, {"entropy": tau})),
    )
    assert loads_artefact(dumps_artefact(made)) == made


def test_the_score_is_the_recalibrated_logistic_or_the_judges_own() -> None:
    recalibration = Platt(2.0, 0.5)
    combined = ScoreFit.of(recalibration, LOGISTIC).combined()
    assert combined is not None
    assert combined(X) == recalibration(LOGISTIC(X))
    own = ScoreFit.of(recalibration)
    assert own.combined() is None
    assert own.probability_of() == recalibration


def test_a_binding_names_what_differs() -> None:
    other = msgspec.structs.replace(BINDING, cheap="b", probes=3, judge_sha256="1" * 64)
    assert BINDING.differences(BINDING) == []
    assert BINDING.differences(other) == [
        "cheap was 'small' and is 'b'",
        "probes was 5 and is 3",
        "judge_sha256 was '000000000000...' and is '111111111111...'",
    ]
    assert BINDING.sha256 != other.sha256


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("format = 1", "format = 2"), "is a calibration of format 2, and this version reads 1"),
        (("probes = 5", "probes = 6"), "binding.sha256 is not that of the binding"),
        (("tau = 0.4", "tau = 4.0"), r"tau.*|<= 1"),
        (("tau = 0.4", "tua = 0.4"), "tua"),
        (("slope = 1.5", "slope = -1.5"), "not negative"),
        (('kind = "rate"', 'kind = "rat"'), r"\$.target.kind"),
        (("[target]", "[target"), "not valid TOML"),
        (("edges = [0.5]", "edges = [0.5, 0.4]"), "edges must rise"),
        (("weights]", "weight]"), "weight"),
    ],
)
def test_what_is_not_as_it_was_written_is_refused(change: tuple[str, str], words: str) -> None:
    text = dumps_artefact(artefact(score=ScoreFit.of(Platt(1.5, -0.2), LOGISTIC)))
    assert change[0] in text
    with pytest.raises(ConfigError, match=words) as caught:
        loads_artefact(text.replace(*change), source="mine.toml")
    assert str(caught.value).startswith("mine.toml: ")


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: no such file; `streamroute calibrate` makes one"):
        read_artefact(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_artefact(tmp_path)
    with pytest.raises(ConfigError, match="cannot be written"):
        write_artefact(artefact(), tmp_path)


def test_a_file_says_when_it_was_made_and_for_what() -> None:
    made = artefact()
    assert isinstance(made, Artefact)
    assert isinstance(made.binding, Binding)
    text = dumps_artefact(made)
    assert "created = 2026-01-02T03:04:05+00:00" in text
    assert datetime.datetime.fromisoformat("2026-01-02T03:04:05+00:00") == made.created
    assert 'cheap = "small"' in text
    assert f'sha256 = "{BINDING.sha256}"' in text
