from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from streamroute.cli import score as score_module
from streamroute.cli.main import main
from streamroute.errors import ScorerError
from streamroute.nli.batcher import EntailmentWorker
from streamroute.uncertainty.base import Pair, Relations
from tests.cli.test_main import one_error
from tests.evaluation.judges import CONTRADICTS, ENTAILS, Written

ROW = {"question": "Who?", "answer": "Ann", "samples": ["She", "Bob"]}
MODEL = Written({("Ann", "She"): ENTAILS, ("She", "Ann"): ENTAILS, ("Ann", "Bob"): CONTRADICTS})


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, str | None]]:
    """The names and manifests of the models that were loaded."""
    names: list[tuple[str | None, str | None]] = []

    def load(name: str | None, manifest: str | None) -> EntailmentWorker:
        names.append((name, manifest))
        return EntailmentWorker(MODEL)

    monkeypatch.setattr(score_module, "load_judge", load)
    return names


def written(path: Path, *rows: Mapping[str, object]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_one_row_as_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", written(tmp_path / "row.json", ROW), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    found = json.loads(captured.out)
    assert (found["texts"], found["clusters"]) == (["Ann", "She", "Bob"], [[0, 1], [2]])
    assert found["entailment"][0] == [1.0, ENTAILS.entailment, CONTRADICTS.entailment]
    assert found["nli_pairs"] == 3


def test_several_rows_are_as_many_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    routing = {"id": 1, "question": "Who?", "cheap": {"answer": "Ann", "samples": ["Bob"]}}
    assert main(["score", written(tmp_path / "rows.jsonl", ROW, routing), "--json"]) == 0
    assert [len(json.loads(line)["texts"]) for line in capsys.readouterr().out.splitlines()] == [3, 2]


def test_a_row_may_be_given_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--question", "Who?", "--answer", "Ann", "--sample", "She", "--sample", "Bob", "--json"]
    assert main(["score", *argv]) == 0
    assert json.loads(capsys.readouterr().out)["clusters"] == [[0, 1], [2]]
    assert main(["score", "--sample=-5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["question"], found["texts"], found["measures"]["answer-deg-jaccard"]) == ("", ["-5"], None)


def test_rows_come_from_a_pipe_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(ROW, indent=2).encode())))
    assert main(["score", "-", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["texts"]) == 3
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"question": 3, "samples": []}')))
    assert main(["score", "-"]) == 2
    assert "standard input: line 1: Expected `str`, got `int` - at `$.question`" in one_error(capsys)


def test_in_words_it_is_clusters_measures_and_matrices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "rows.jsonl", ROW, ROW)
    assert main(["score", path]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    for words in ("Ann (the answer)", "discrete-se", "higher: less certain", "entailment (row: premise", "───"):
        assert words in captured.out
    assert main(["score", path, "--no-matrix"]) == 0
    assert "entailment (row: premise" not in capsys.readouterr().out


def test_rule_and_threshold_are_passed_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "row.json", ROW)
    for argv, clusters in ((["--rule", "no-contradiction"], 2), (["--theta", "0.95"], 3), (["--rule", "strict"], 2)):
        assert main(["score", path, "--json", *argv]) == 0
        assert len(json.loads(capsys.readouterr().out)["clusters"]) == clusters


def test_many_texts_are_warned_of_and_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "row.json", {"question": "", "samples": [f"word{i}" for i in range(33)]})
    assert main(["score", path, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == (
        "streamroute score: the full matrix of 33 texts costs 528 passes of the model (--no-matrix leaves it out)\n"
    )
    assert len(json.loads(captured.out)["entailment"]) == 33
    assert main(["score", path, "--json", "--no-matrix"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out)["entailment"] is None


def test_half_a_surrogate_pair_comes_out_as_it_went_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "row.json", {"question": "\ud800", "samples": ["\udfff", "!", ""]})
    assert main(["score", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.encode())["question"] == "\ud800"
    assert main(["score", path]) == 0
    assert capsys.readouterr().out.encode()


def test_model_and_manifest_are_those_asked_for(
    tmp_path: Path, loaded: list[tuple[str | None, str | None]], capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "row.json", ROW)
    assert main(["score", path]) == 0
    assert main(["score", path, "--model", "mine", "--manifest", "m.toml"]) == 0
    assert loaded == [(None, None), ("mine", "m.toml")]


def test_a_model_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    assert main(["score", "--sample", "a", "--model", "nope"]) == 2
    assert "no model 'nope' (there are: " in one_error(capsys)
    assert main(["score", "--sample", "a", "--manifest", "nowhere.toml"]) == 2
    assert "nowhere.toml" in one_error(capsys)


def test_what_is_wrong_is_one_line_before_any_model_is_loaded(
    tmp_path: Path, loaded: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "rows.jsonl", ROW, ROW | {"logprobs": [float("nan"), -1.0, -1.0]})
    for argv, words in (
        ([path], "rows.jsonl: line 2: logprobs[0] is nan"),
        ([str(tmp_path / "none.json")], "none.json: cannot be read (No such file or directory)"),
        ([], "nothing to score"),
        ([path, "--sample", "x"], "not both"),
        ([path, "--question", ""], "not both"),
    ):
        assert main(["score", *argv]) == 2
        assert words in one_error(capsys)
    assert loaded == []


def test_a_judge_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Failing:
        def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
            raise ScorerError("broke")

    monkeypatch.setattr(score_module, "load_judge", lambda name, manifest: EntailmentWorker(Failing()))
    assert main(["score", "--sample", "Ann", "--sample", "Bob"]) == 2
    assert one_error(capsys) == "streamroute score: broke\n"


@pytest.mark.parametrize("argv", [["--theta", "0"], ["--theta", "1"], ["--theta", "x"], ["--rule", "mine"]])
def test_wrong_arguments_exit_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["score", "x", *argv])
    assert stop.value.code == 2
    assert "usage: streamroute score" in capsys.readouterr().err


def test_rows_are_read_without_loading_onnxruntime() -> None:
    code = "import sys, streamroute.cli.score; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
