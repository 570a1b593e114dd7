import re
import sys
from pathlib import Path

import pytest

from streamroute.cli import ask as ask_module
from streamroute.cli.main import build_parser, main


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMROUTE_MODELS", str(tmp_path / "models"))


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("streamroute ")
    return captured.err


def test_asking_before_the_models_are_there_says_what_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "Why?"]) == 2
    assert "streamroute models pull smollm2-135m-instruct qwen2.5-coder-1.5b-instruct" in one_error(capsys)


@pytest.mark.parametrize("command", ["chat", "demo"])
def test_options_of_other_commands_parse(command: str) -> None:
    assert build_parser().parse_args([command, "--threshold", "0.3"]).threshold == 0.3


def test_an_empty_question_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "  "]) == 2
    assert "question is empty" in one_error(capsys)


def test_a_configuration_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["ask", "Why?", "--config", "nowhere.toml"], ["check", "nowhere.toml"], ["serve", "nowhere.toml"]):
        assert main(argv) == 2
        assert "nowhere.toml" in one_error(capsys)


def test_a_wrong_key_is_named_with_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("[[route]]\nname = 'r'\ntires = ['a']\n")
    assert main(["check", str(path)]) == 2
    error = one_error(capsys)
    assert "gateway.toml" in error
    assert "tires" in error


def test_a_route_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "Why?", "--route", "nope"]) == 2
    assert "'nope'" in one_error(capsys)


def test_an_unknown_model_is_named_before_anything_is_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "pull", "gpt-17"]) == 2
    assert "gpt-17" in one_error(capsys)


def test_checking_names_the_model_files_that_are_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 2
    assert re.search(r"error\s+upstream smollm2-135m-instruct: .*missing", capsys.readouterr().out)


def test_listing_models_says_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    assert "smollm2-135m-instruct" in capsys.readouterr().out


def test_verifying_a_corrupted_file_names_it_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"not a model")
    assert main(["models", "verify", "smollm2-135m-instruct"]) == 2
    assert "11 bytes instead of" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["ask"],
        ["sing"],
        ["ask", "q", "--threshold", "2"],
        ["ask", "q", "--threshold", "x"],
        ["ask", "q", "--probes", "0"],
        ["ask", "q", "--release", "never"],
        ["serve", "--port", "70000"],
        ["demo", "--limit", "-1"],
        ["models"],
    ],
)
def test_wrong_arguments_exit_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert "usage: streamroute" in capsys.readouterr().err


def test_ctrl_c_exits_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(ask_module, "run", interrupted)
    assert main(["ask", "Why?"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_reading_the_arguments_loads_nothing_heavy() -> None:
    import subprocess

    code = (
        "import sys; from streamroute.cli.main import build_parser; build_parser().parse_args(['models', 'list']);"
        "heavy = ('onnxruntime', 'tokenizers', 'xllamacpp', 'openai', 'aiohttp.web', 'rich');"
        "print([module for module in heavy if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
