"""`streamroute calibrate`: records in, an artefact that the route accepts out, and every complaint in one line."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streamroute.calibration.artefact import read_artefact
from streamroute.calibration.records import decode_record, encode_record
from streamroute.cli.main import main
from streamroute.config.binding import calibration_of
from streamroute.config.load import load
from streamroute.uncertainty.base import Pair, Relations
from tests.calibration.made import records
from tests.cli.test_main import one_error
from tests.evaluation.judges import Written

CONFIG = """
[[upstream]]
name = "cheap"
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
model = "small"

[[upstream]]
name = "large"
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
model = "big"
price = { prompt = 1.0, completion = 4.0 }

[[route]]
name = "auto"
tiers = ["cheap", "large"]
probes = { count = 2 }
"""
Calibrate = Callable[..., int]


@pytest.fixture
def calibrate(tmp_path: Path) -> Calibrate:
    """Runs the command for `CONFIG`, the artefact beside it."""
    (tmp_path / "gateway.toml").write_text(CONFIG)

    def run(file: str, *more: str) -> int:
        files = ["-o", str(tmp_path / "a.toml"), "--config", str(tmp_path / "gateway.toml")]
        return main(["calibrate", file, *files, *more])

    return run


@pytest.fixture
def given(tmp_path: Path) -> str:
    path = tmp_path / "records.jsonl"
    path.write_bytes(b"\n".join(map(encode_record, records(1000, cost=0.5))) + b'\n{"id": "x", "score": null}\n')
    return str(path)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that are not spelled alike are neutral to each other."""

    class Model:
        async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
            return Written().relations(pairs)

    @asynccontextmanager
    async def loaded() -> AsyncGenerator[Model]:
        yield Model()

    monkeypatch.setattr("streamroute.nli.judge.bundled_model", loaded)


def row(i: int, **cheap: Any) -> dict[str, Any]:
    """Every third answer is a guess: its samples differ, and it is wrong."""
    guess = i % 3 == 0
    said = {"model": "small", "answer": "Bern.", "samples": ["Rome.", "Oslo."] if guess else ["Bern.", "Bern."]}
    large = {"model": "big", "answer": "Bern.", "correct": True}
    return {"id": str(i), "question": f"{i}?", "cheap": said | {"correct": not guess} | cheap, "large": large}


def written(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return str(path)


def test_an_artefact_serves_the_route_that_it_was_made_for(
    calibrate: Calibrate, given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(given, "--target-rate", "0.3") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    for words in (
        "1000 labelled: 400 fitted, 400 calibrated, 200 held out; 0 without a label, 1 not judged",
        "weights: ",
        "30.0% escalated",
        "of 200 escalated (",
        "none: none was asked for",
        "a.toml",
    ):
        assert words in captured.out
    text = CONFIG.replace("probes =", 'calibration = "a.toml"\nprobes =')
    (tmp_path / "gateway.toml").write_text(text)
    settings = load(tmp_path / "gateway.toml")
    assert calibration_of(settings, settings.routes[0]) == read_artefact(tmp_path / "a.toml")


def test_json_is_one_object(calibrate: Calibrate, given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrate(given, "--max-error", "0.4", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["target"] == {"kind": "error", "value": 0.4, "confidence": 0.9}
    assert found["certificate"]["kind"] == "selective"
    assert found["artefact"].endswith("a.toml")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--budget", "0.2"], "0.2 spent on escalations a request"),
        (["--gain-price", "0.1"], "escalate where the expected gain is above 0.1"),
        (["--max-error", "0.4"], "at most 40.0% of those kept, with confidence 0.9: "),
        (["--max-error", "0.2", "--marginal"], "at most 20.0% of all requests, on average: "),
        (["--max-error", "0.3", "--regret"], "answers that the larger model would have got right among those kept"),
        (["--target-rate", "0.2", "--score", "judge"], "the judge's own"),
    ],
)
def test_every_target_is_told_in_words(
    calibrate: Calibrate, given: str, argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(given, *argv) == 0
    assert words in capsys.readouterr().out


def test_without_a_certificate_it_says_why_and_fails_only_where_one_is_required(
    calibrate: Calibrate, given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = ["--max-error", "0.01"]
    assert calibrate(given, *strict, "--require-certificate") == 1
    assert not (tmp_path / "a.toml").exists()
    assert "nothing written: a certificate is required" in capsys.readouterr().out
    assert calibrate(given, *strict) == 0
    said = capsys.readouterr().out
    assert "none: of 400 held-out answers" in said
    assert (tmp_path / "a.toml").exists()


@pytest.mark.usefixtures("judge")
def test_routing_rows_are_judged_first_and_their_records_kept(
    calibrate: Calibrate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = row(1, samples=["Bern."])
    path = written(tmp_path / "rows.jsonl", [*(row(i) for i in range(60)), short])
    kept = tmp_path / "kept.jsonl"
    assert calibrate(path, "--target-rate", "0.33", "--save-records", str(kept)) == 0
    captured = capsys.readouterr()
    assert captured.err == "streamroute calibrate: 1 rows have fewer samples than the 2 that route auto draws\n"
    assert "60 labelled" in captured.out
    found = [decode_record(line, number=0) for line in kept.read_bytes().splitlines()]
    assert len(found) == 60
    assert all(record is not None and record.wrong == (int(record.id) % 3 == 0) for record in found)
    sure = {record.score for record in found if record and not record.wrong}
    unsure = {record.score for record in found if record and record.wrong}
    assert max(sure) < min(unsure)
    first = found[0]
    assert first is not None
    assert first.cost == pytest.approx((1.0 * 1 + 4.0 * 2) / 1e6)
    assert calibrate(str(kept), "--budget", "0.000003") == 0


@pytest.mark.usefixtures("judge")
def test_rows_of_another_model_are_warned_of(
    calibrate: Calibrate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "rows.jsonl", [row(i, model="other") for i in range(60)])
    assert calibrate(path, "--target-rate", "0.33") == 0
    assert "the rows are of other, but the first tier of route auto is small" in capsys.readouterr().err


@pytest.mark.usefixtures("judge")
def test_rows_without_labels_may_be_labelled_by_agreement(
    calibrate: Calibrate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row(i, correct=None, answer="Rome." if i % 3 == 0 else "Bern.") for i in range(60)]
    path = written(tmp_path / "rows.jsonl", rows)
    assert calibrate(path, "--target-rate", "0.33") == 2
    assert "0 records with a score and a label" in one_error(capsys)
    assert calibrate(path, "--target-rate", "0.33", "--agreement") == 0
    assert "60 labelled" in capsys.readouterr().out


def test_feedback_labels_records(calibrate: Calibrate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": str(i), "score": (i % 10) / 10, "decision": "accept"} for i in range(60)]
    said = [{"id": str(i), "correct": i % 10 < 7} for i in range(60)]
    labels = written(tmp_path / "labels.jsonl", said)
    assert calibrate(written(tmp_path / "rows.jsonl", rows), "--target-rate", "0.3", "--labels", labels) == 0
    assert "60 labelled" in capsys.readouterr().out


def test_records_of_traffic_that_tell_less_than_they_seem_to_are_warned_of(
    calibrate: Calibrate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, Any]] = [{"id": str(i), "score": (i % 10) / 10} for i in range(60)]
    rows[0]["score_bounds"] = [0.0, 0.4]
    rows.append({"id": "x", "score": 0.9, "decision": "escalate"})
    labels = written(tmp_path / "labels.jsonl", [{"id": str(i), "correct": i % 10 < 7} for i in range(60)])
    assert calibrate(written(tmp_path / "rows.jsonl", rows), "--target-rate", "0.3", "--labels", labels) == 0
    said = capsys.readouterr().err
    assert "1 labelled verdicts fell before the last probe" in said
    assert "1 answers were escalated and have no label" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no rows"),
        ("{", "line 1: "),
        ('{"score": 2}', "line 1: `score` is 2"),
        ('{"score": 0.5, "wrong": true}', "1 records with a score and a label; at least 30 are needed"),
        ('{"id": "a", "cheap": {}}', "line 1: Object missing required field"),
        ('{"score": 0.5, "wrong": true}\n' * 40, "all 40 labelled answers are wrong"),
    ],
)
def test_records_that_cannot_be_used_are_one_line(
    calibrate: Calibrate, tmp_path: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    assert calibrate(str(path), "--target-rate", "0.3") == 2
    error = one_error(capsys)
    assert words in error
    assert "rows.jsonl" in error
    assert not (tmp_path / "a.toml").exists()


def test_records_come_from_a_pipe_too(
    calibrate: Calibrate, given: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(given).read_bytes())))
    assert calibrate("-", "--target-rate", "0.3") == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"?")))
    capsys.readouterr()
    assert calibrate("-", "--target-rate", "0.3") == 2
    assert "standard input: line 1: " in one_error(capsys)


def test_arguments_that_do_not_go_together_are_refused(
    calibrate: Calibrate, given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(given, "--target-rate", "0.3", "--marginal") == 2
    assert "belong to --max-error" in one_error(capsys)
    for argv in (
        ["--target-rate", "2"],
        ["--budget", "-1"],
        ["--gain-price", "x"],
        [],
        ["--budget", "1", "--max-error", ".1"],
    ):
        with pytest.raises(SystemExit) as stop:
            calibrate(given, *argv)
        assert stop.value.code == 2
        capsys.readouterr()
    assert calibrate(given, "--target-rate", "0.3", "--save-records", str(tmp_path)) == 2
    assert "cannot be written" in one_error(capsys)
    assert calibrate(given, "--target-rate", "0.3", "--labels", str(tmp_path / "none")) == 2
    assert "cannot be read" in one_error(capsys)
