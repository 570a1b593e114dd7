from __future__ import annotations

import io
import json
import lzma
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from streamroute.cli import eval as eval_module
from streamroute.cli.main import main
from streamroute.errors import ScorerError
from streamroute.nli.batcher import BlockingModel
from streamroute.nli.manifest import ModelSpec, bundled_manifest
from streamroute.uncertainty.base import Pair, Relations
from tests.cli.test_main import one_error
from tests.evaluation.judges import CONTRADICTS, ENTAILS, Written

NLI = [
    {"premise": "p1", "hypothesis": "h1", "label": "entailment", "source": "mine"},
    {"premise": "p2", "hypothesis": "h2", "label": "neutral", "source": "mine"},
    {"premise": "p3", "hypothesis": "h3", "label": "entailment", "source": "other"},
]
PAIRS = [
    {"question": "Who?", "a": "Ann", "b": "She", "equivalent": True},
    {"question": "Who?", "a": "Ann", "b": "Bob", "equivalent": False},
]
ROUTES = [
    {
        "id": str(i),
        "question": f"Q{i}?",
        "cheap": {"answer": "Ann", "samples": samples, "correct": right},
        "large": large,
    }
    for i, (samples, right, large) in enumerate(
        [
            (["Ann", "Ann", "Ann"], True, {"answer": "Ann", "correct": True}),
            (["Ann", "Bob", "Eve"], False, {"answer": "Bob", "correct": True}),
            (["Bob", "Eve", "Joe"], False, None),
            (["Ann", "Ann", "Bob"], True, None),
            (["Ann", "Ann", "Bob"], None, None),
        ]
    )
]
MODEL = Written({("p1", "h1"): ENTAILS, ("Ann", "She"): ENTAILS, ("She", "Ann"): ENTAILS, ("Ann", "Bob"): CONTRADICTS})


def lines(rows: Sequence[Mapping[str, object]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture
def nli(tmp_path: Path) -> str:
    path = tmp_path / "nli.jsonl"
    path.write_bytes(lines(NLI))
    return str(path)


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    path = tmp_path / "pairs.jsonl.xz"
    path.write_bytes(lzma.compress(lines(PAIRS)))
    return str(path)


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that were loaded."""
    names: list[str] = []

    def load(spec: ModelSpec) -> BlockingModel:
        names.append(spec.name)
        return MODEL

    monkeypatch.setattr(eval_module, "load_model", load)
    return names


def test_nli_as_json_is_one_object(nli: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "nli", nli, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    found = json.loads(captured.out)
    assert (found["n"], found["accuracy"]) == (3, pytest.approx(2 / 3))
    assert found["by_source"] == {"mine": 1.0, "other": 0.0}
    assert found["model"] == "judge-minilm-l6-int8"
    assert found["pairs_per_second"] > 0
    assert {"f1", "macro_f1", "confusion", "ece", "brier", "seconds"} <= found.keys()


def test_nli_in_words_has_a_line_for_each_label_and_source(nli: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "nli", nli]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    for words in ("accuracy", "0.667", "calibration error", "pairs per second", "contradiction", "mine", "other"):
        assert words in captured.out


def test_pairs_as_json_is_one_object(pairs: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "pairs", pairs, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["auroc"], found["rule_accuracy"]) == (2, 1.0, 1.0)
    assert {"auroc_ci", "auroc_token_f1", "auroc_guarded", "pairs_per_second", "model"} <= found.keys()


def test_pairs_in_words_put_the_baseline_beside_the_model(pairs: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "pairs", pairs]) == 0
    captured = capsys.readouterr().out
    for words in ("AUROC", "1.000", "token F1", "merges of the unequal", "pairs per second"):
        assert words in captured


@pytest.fixture
def routes(tmp_path: Path) -> str:
    path = tmp_path / "routes.jsonl.xz"
    path.write_bytes(lzma.compress(lines(ROUTES)))
    return str(path)


def test_routing_as_json_is_one_object_with_a_map_of_methods(routes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "routing", routes, "--json", "--folds", "2"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    found = json.loads(captured.out)
    assert (found["n"], found["paired"], found["samples"], found["unlabelled"]) == (4, 2, 3.0, 1)
    assert (found["folds"], found["model"]) == (2, "judge-minilm-l6-int8")
    assert found["methods"]["streamroute"]["auroc"] == 1.0
    for name in ("streamroute", "streamroute-fitted", "random", "refusal", "length", "token-overlap", "discrete-se"):
        assert {"auroc", "auroc_ci", "aurc", "auarc", "prr", "ece", "points", "accuracy_at", "apgr", "cpt50", "cpt80",
                "aiq", "probes", "nli_pairs"} <= found["methods"][name].keys()  # fmt: skip


def test_routing_in_words_has_two_tables(routes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "routing", routes]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    for words in ("AUROC", "streamroute-fitted", "APGR", "always large", "oracle", "1 rows left out: no label"):
        assert words in captured.out


@pytest.mark.parametrize(("samples", "used"), [("0", 0), ("2", 2), ("50", 3)])
def test_routing_uses_so_many_samples(samples: str, used: int, routes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "routing", routes, "--json", "--samples", samples]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["samples"] == found["methods"]["streamroute"]["probes"] == used


def test_routing_needs_labels_and_rows(tmp_path: Path, loaded: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "routes.jsonl"
    for content, words in (
        (lines(ROUTES[4:]), "routes.jsonl: none of the 1 rows says whether its answer is right (`cheap.correct`)"),
        (b"", "routes.jsonl: no rows"),
        (
            lines([{"id": "1", "question": "Q", "cheap": {"answer": "a"}}]),
            "line 1: Object missing required field `samp",
        ),
        (lines([*ROUTES, {"id": [7]}]), "line 6: Expected `int | str | null`, got `array` - at `$.id`"),
    ):
        path.write_bytes(content)
        assert main(["eval", "routing", str(path)]) == 2
        assert words in one_error(capsys)
    assert loaded == []


def test_only_the_first_rows_are_taken_if_asked(nli: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "nli", nli, "--json", "--limit", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 2


def test_rows_come_from_a_pipe_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines(PAIRS))))
    assert main(["eval", "pairs", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 2
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"question": 3}')))
    assert main(["eval", "pairs", "-"]) == 2
    assert "standard input: line 1: " in one_error(capsys)


def test_another_model_of_another_manifest(
    tmp_path: Path, nli: str, loaded: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = tmp_path / "manifest.toml"
    text = bundled_manifest().read_text(encoding="utf-8")
    manifest.write_text(text.replace("judge-minilm-l6-int8", "mine").replace("default =", "#"), encoding="utf-8")
    assert main(["eval", "nli", nli, "--manifest", str(manifest), "--model", "mine"]) == 0
    assert "mine" in capsys.readouterr().out
    assert main(["eval", "nli", nli, "--manifest", str(manifest), "--model", "yours"]) == 2
    assert "no model 'yours' (there are: mine)" in one_error(capsys)
    assert main(["eval", "nli", nli, "--manifest", "nowhere.toml"]) == 2
    assert "nowhere.toml" in one_error(capsys)
    assert loaded == ["mine"]


def test_what_is_wrong_with_a_file_is_one_line_before_any_model_is_loaded(
    nli: str, tmp_path: Path, loaded: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for argv, words in (
        (["nli", str(tmp_path / "none.jsonl")], "none.jsonl: cannot be read (No such file or directory)"),
        (["nli", str(tmp_path)], "cannot be read (Is a directory)"),
        (["pairs", nli], "nli.jsonl: line 1: Object missing required field `question`"),
    ):
        assert main(["eval", *argv]) == 2
        assert words in one_error(capsys)
    assert loaded == []


class Failing:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
        raise self.error


@pytest.mark.parametrize(
    ("error", "end"),
    [(ScorerError("broke"), (2, "streamroute eval: broke\n")), (KeyboardInterrupt(), (130, "interrupted\n"))],
)
def test_a_run_that_is_broken_off_prints_no_figures(
    nli: str,
    error: BaseException,
    end: tuple[int, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(eval_module, "load_model", lambda spec: Failing(error))
    code = main(["eval", "nli", nli])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert (code, captured.err) == end


@pytest.mark.parametrize(
    "argv",
    [
        ["eval"],
        ["eval", "nli"],
        ["eval", "all", "x"],
        ["eval", "nli", "x", "--limit", "0"],
        ["eval", "routing", "x", "--samples", "-1"],
        ["eval", "routing", "x", "--folds", "1"],
    ],
)
def test_wrong_arguments_exit_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert "usage: streamroute eval" in capsys.readouterr().err


def test_rows_are_read_without_loading_onnxruntime() -> None:
    code = "import sys, streamroute.cli.eval; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
