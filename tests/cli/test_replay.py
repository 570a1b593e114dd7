from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamroute.calibration.artefact import ScoreFit, ThresholdFit, write_artefact
from streamroute.calibration.recalibrate import Platt
from streamroute.cli import replay as replay_module
from streamroute.cli.main import main
from streamroute.evaluation.simulation.systems import POLICIES, SYSTEMS
from streamroute.nli.batcher import BlockingModel
from streamroute.nli.manifest import ModelSpec, bundled_manifest, read_manifest
from streamroute.uncertainty.fitted import Logistic
from tests.calibration.made import BINDING, artefact
from tests.cli.test_main import one_error
from tests.evaluation.judges import CONTRADICTS, ENTAILS, Written

SURE, UNSURE = ["Ann."] * 3, ["Bob.", "Cyd.", "Dan."]
MODEL = Written({(a, b): ENTAILS if a == b else CONTRADICTS for a in ("Ann.", *UNSURE) for b in ("Ann.", *UNSURE)})


def row(name: str, samples: list[str], correct: bool) -> dict[str, Any]:
    cheap = {"answer": "Ann.", "samples": samples, "correct": correct}
    return {"id": name, "question": "Who?", "cheap": cheap, "large": {"answer": "Bob, of course.", "correct": True}}


@pytest.fixture
def rows(tmp_path: Path) -> str:
    path = tmp_path / "rows.jsonl"
    values = [row("sure", SURE, True), row("unsure", UNSURE, False), {**row("cut", SURE, True), "large": None}]
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return str(path)


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that were loaded."""
    names: list[str] = []

    def load(spec: ModelSpec) -> BlockingModel:
        names.append(spec.name)
        return MODEL

    monkeypatch.setattr(replay_module, "load_model", load)
    return names


def replayed(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    assert main(["replay", *args, "--probes", "3", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    found: dict[str, Any] = json.loads(captured.out)
    return found


def test_one_policy_as_json_is_one_system_with_its_figures(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = replayed(capsys, rows, "--release", "retract")
    assert (found["n"], found["left_out"]) == (2, 1)
    assert found["timings"]["cheap"] == {"first": 0.35, "rate": 80}
    (system,) = found["systems"]
    assert (system["system"], system["threshold"]) == ("retract", 0.5)
    assert (system["quality"], system["escalated"], system["retracted"]) == (1.0, 0.5, 0.5)
    assert system["ttfkt_kept_p50"] == 0.35


def test_one_policy_in_words_has_a_line_for_each_figure(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", rows, "--probes", "3"]) == 0
    printed = capsys.readouterr().out
    for words in ("1 of 3 routes are left out", "ttfkt kept p50", "withdrawn tokens", "95 %"):
        assert words in printed


def test_a_threshold_and_a_baseline_can_be_chosen(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert replayed(capsys, rows, "--threshold", "1")["systems"][0]["escalated"] == 0
    (large,) = replayed(capsys, rows, "--policy", "always-large")["systems"]
    assert (large["system"], large["threshold"], large["ttfkt_p50"]) == ("always-large", None, 0.9)


def test_every_policy_of_a_configuration_can_be_replayed(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    for policy in POLICIES:
        (found,) = replayed(capsys, rows, "--policy", policy, "--wave", "1")["systems"]
        assert found["system"] == ("hold" if policy == "threshold" else f"hold, {policy}")
        assert found["threshold"] == (None if policy in ("gain", "cascade-routing") else 0.5)
        assert found["quality"] == 1.0


def test_probes_are_started_in_waves_and_not_where_the_first_token_was_confident(
    rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stopping = ("--policy", "sprt")
    at_once, by_one = (
        replayed(capsys, rows, *stopping, *more)["systems"][0]["probes_started"] for more in ((), ("--wave", "1"))
    )
    assert at_once == 3 > by_one
    sure = tmp_path / "sure.jsonl"
    told = row("sure", SURE, True)
    sure.write_text(json.dumps({**told, "cheap": {**told["cheap"], "logprobs": [-0.01, -0.2]}}) + "\n")
    (found,) = replayed(capsys, str(sure), "--skip-confident", "0.9")["systems"]
    assert (found["probes_started"], found["escalated"]) == (0, 0)


@pytest.fixture
def calibration(tmp_path: Path) -> str:
    """Of a fitted score: of 3 probes that agree with the answer .12, of none that does .98."""
    models, default = read_manifest(bundled_manifest())
    fit = ScoreFit.of(Platt(1.0, 0.0), Logistic(-3.0, {"disagreement": 8.0}, {"disagreement": 0.5}))
    made = artefact(
        score=fit,
        threshold=ThresholdFit(tau=0.1, conservative=0.1),
        binding=msgspec.structs.replace(BINDING, probes=3, judge_sha256=models[default].sha256),
    )
    write_artefact(made, tmp_path / "made.toml")
    return str(tmp_path / "made.toml")


def test_a_calibrations_score_and_threshold_take_the_place_of_the_judges(
    rows: str, tmp_path: Path, calibration: str, capsys: pytest.CaptureFixture[str], loaded: list[str]
) -> None:
    judged = str(tmp_path / "judged.jsonl")
    (plain,) = replayed(capsys, rows, "--judged", judged)["systems"]
    (found,) = replayed(capsys, rows, "--judged", judged, "--calibration", calibration)["systems"]
    assert len(loaded) == 1, "the score is made of what was judged"
    assert (plain["escalated"], found["threshold"], found["escalated"]) == (0.5, 0.1, 1.0), "the sure one scores .12"
    assert found["verdict_p50"] >= plain["verdict_p50"], "nothing is certified early"
    swept = replayed(capsys, rows, "--judged", judged, "--calibration", calibration, "--sweep", "2")["systems"]
    assert [point["threshold"] for point in swept] == [0, 0.5, 1, None, None]
    assert [point["escalated"] for point in swept[:3]] == [1.0, 0.5, 0.0]
    assert len(loaded) == 1
    (gain,) = replayed(capsys, rows, "--calibration", calibration, "--policy", "gain")["systems"]
    assert (gain["system"], gain["escalated"]) == ("hold, gain", 0.5)


def test_a_calibration_of_other_probes_is_refused(
    rows: str, calibration: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", rows, "--probes", "2", "--calibration", calibration]) == 2
    assert "probes was 3 and is 2" in one_error(capsys)
    assert main(["replay", rows, "--probes", "3", "--calibration", calibration, "--policy", "stopping-table"]) == 2
    assert "stopping-table cannot be calibrated" in one_error(capsys)


def test_a_baseline_needs_no_judge(rows: str, capsys: pytest.CaptureFixture[str], loaded: list[str]) -> None:
    replayed(capsys, rows, "--policy", "always-cheap")
    assert loaded == []


def test_a_hedge_can_be_added_to_any_release(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    (plain,) = replayed(capsys, rows)["systems"]
    (hedged,) = replayed(capsys, rows, "--hedge-after", "0")["systems"]
    assert (plain["hedged"], hedged["hedged"], hedged["hedge_won"]) == (0, 1, 0.5)
    assert hedged["after_verdict_p50"] < plain["after_verdict_p50"] == pytest.approx(0.9)
    assert hedged["cost"] > plain["cost"]


def test_a_sweep_is_a_frontier_between_the_baselines(
    rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "frontier.csv"
    found = replayed(capsys, rows, "--sweep", "4", "--csv", str(target))["systems"]
    assert [point["threshold"] for point in found] == [0, 0.25, 0.5, 0.75, 1, None, None]
    assert [point["system"] for point in found[-2:]] == ["always-cheap", "always-large"]
    escalated = [point["escalated"] for point in found[:5]]
    assert escalated == sorted(escalated, reverse=True)
    with target.open() as file:
        lines = list(csv.DictReader(file))
    assert [float(line["quality"]) for line in lines] == [point["quality"] for point in found]
    assert lines[0]["cost_low"] <= lines[0]["cost"]
    assert lines[-1]["threshold"] == lines[-1]["ttfkt_kept_p50"] == ""


def test_a_comparison_has_every_system_side_by_side(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = {each["system"]: each for each in replayed(capsys, rows, "--compare")["systems"]}
    assert list(found) == list(SYSTEMS)
    assert found["sequential"]["ttfkt_p50"] > found["hold"]["ttfkt_p50"] > found["retract"]["ttfkt_p50"]
    assert found["retract"]["ttfkt_kept_p50"] == found["always-cheap"]["ttfkt_p50"]
    assert main(["replay", rows, "--probes", "3", "--compare"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in SYSTEMS)
    assert "100.0%" in printed  # the cost of always-large, of itself


def test_the_plot_is_a_picture(rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    target = tmp_path / "frontier.png"
    replayed(capsys, rows, "--sweep", "3", "--plot", str(target))
    assert target.read_bytes().startswith(b"\x89PNG")
    assert main(["replay", rows, "--probes", "3", "--plot", str(tmp_path / "frontier.what")]) == 2
    assert "cannot be written" in one_error(capsys)


def test_a_plot_without_matplotlib_says_how_to_get_it(
    rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    assert main(["replay", rows, "--probes", "3", "--plot", str(tmp_path / "a.png")]) == 2
    assert "pip install 'streamroute[plot]'" in one_error(capsys)


def test_what_was_judged_is_kept_and_not_asked_again(
    rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], loaded: list[str]
) -> None:
    judged = tmp_path / "judged.jsonl"
    first = replayed(capsys, rows, "--compare", "--judged", str(judged))
    assert len(loaded) == 1
    before = judged.read_bytes()
    assert replayed(capsys, rows, "--compare", "--judged", str(judged)) == first
    assert len(loaded) == 1
    assert judged.read_bytes() == before


def test_what_was_judged_is_kept_even_when_something_fails_later(rows: str, tmp_path: Path) -> None:
    judged = tmp_path / "judged.jsonl"
    assert (
        main(["replay", rows, "--probes", "3", "--judged", str(judged), "--csv", str(tmp_path / "no" / "a.csv")]) == 2
    )
    assert judged.exists()


def test_stated_timings_come_from_a_file(rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    timings = tmp_path / "timings.toml"
    timings.write_text("[large]\nfirst = 7\nrate = 10\n")
    (found,) = replayed(capsys, rows, "--policy", "always-large", "--timings", str(timings))["systems"]
    assert found["ttfkt_p50"] == 7
    timings.write_text("[large]\nfirst = 7\nspeed = 10\n")
    assert main(["replay", rows, "--timings", str(timings)]) == 2
    assert "speed" in one_error(capsys)


def test_prices_and_billing_are_the_callers(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    cheap, dear = (
        replayed(capsys, rows, "--policy", "always-large", "--price-ratio", ratio)["systems"][0]["cost"]
        for ratio in ("10", "20")
    )
    assert dear == pytest.approx(2 * cheap)
    plain = replayed(capsys, rows)["systems"][0]["cost"]
    assert replayed(capsys, rows, "--probes-together")["systems"][0]["cost"] < plain
    assert replayed(capsys, rows, "--prompt-price", "0")["systems"][0]["cost"] < plain
    hedged = ("--hedge-after", "0")
    generated, full = (
        replayed(capsys, rows, *hedged, *more)["systems"][0]["waste"] for more in ((), ("--bill-cancelled",))
    )
    assert full > generated


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--compare", "--sweep"], "either --compare or --sweep"),
        (["--probes", "4"], "row sure has 3 samples, and --probes asks for 4"),
        (["--model", "none"], "no model 'none'"),
        (["--policy", "gain", "--sweep"], "policy gain has no threshold"),
        (["--policy", "cascade-routing", "--threshold", "0.5"], "policy cascade-routing has no threshold"),
        (["--calibration", "none.toml"], "none.toml: no such file"),
        (["--csv", "/nowhere/at/all.csv"], "cannot be written"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    rows: str, capsys: pytest.CaptureFixture[str], args: list[str], complaint: str
) -> None:
    assert main(["replay", rows, "--probes", "3", *args]) == 2
    assert complaint in one_error(capsys)


@pytest.mark.parametrize(
    "args", [["--deadline", "-1"], ["--price-ratio", "0"], ["--sweep", "0"], ["--hedge-after", "x"]]
)
def test_a_number_out_of_range_is_a_usage_error(rows: str, args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["replay", rows, *args])
    assert "expected" in capsys.readouterr().err
