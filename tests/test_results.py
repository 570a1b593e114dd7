"""README says what the shipped report says, and the report what the shipped recordings say."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamroute.cli.eval import load_model
from streamroute.evaluation.comparison.sets import compare
from streamroute.evaluation.judged import judge_rows, with_samples
from streamroute.evaluation.rows import CheapLeg
from streamroute.nli.manifest import chosen_model

readme = import_module("benchmarks.readme")
settings_module = import_module("benchmarks.reporting.settings")
work = import_module("benchmarks.reporting.work")

HERE = Path(__file__).parents[1]
NAMES = ("streamroute", "discrete-se", "snne-nli", "token-overlap", "length", "query-router", "random")
CLOSE = 0.03
"""Of an AUROC or a share: int8 sums are not the same on every processor."""


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / "benchmarks/results/report.json").read_text(encoding="utf-8"))
    return found


def test_the_readme_says_what_the_report_says(report: dict[str, Any]) -> None:
    text = (HERE / "README.md").read_text(encoding="utf-8")
    assert readme.replaced(text, readme.section_of(report)) == text


def test_the_report_was_made_with_the_shipped_settings_and_judge(report: dict[str, Any]) -> None:
    settings = settings_module.read_settings(HERE / "benchmarks/report.toml")
    assert report["settings"] == json.loads(msgspec.json.encode(settings))
    assert report["judge"]["sha256"] == chosen_model(None, None).sha256


def test_the_shipped_recordings_give_the_shipped_figures(
    report: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HERE)
    settings = settings_module.read_settings(Path("benchmarks/report.toml"))
    model = load_model(chosen_model(None, None))
    for records in settings.records:
        rows = [with_samples(row, settings.samples) for row in work.rows_of(records)]
        found = compare(rows, judge_rows(model, rows), settings.billing, share=settings.share, resamples=2, only=NAMES)
        told = report["sets"][records.name]
        assert found.n == told["n"]
        assert found.cheap.value == pytest.approx(told["cheap"][0], abs=1e-4)
        entries = {each["name"]: each for each in told["entries"]}
        for entry in found.entries:
            expected = entries[entry.name]
            assert entry.auroc.value == pytest.approx(expected["auroc"][0], abs=CLOSE), entry.name
            assert entry.apgr.value == pytest.approx(expected["apgr"][0], abs=CLOSE), entry.name
        assert {entry.name for entry in found.entries} == set(NAMES)


def test_every_row_that_is_shipped_has_all_that_a_comparison_can_use() -> None:
    wanted = (
        "logprobs",
        "first_top_logprobs",
        "p_true",
        "self_verified",
        "timing",
        "sample_timings",
        "sample_logprobs",
    )
    settings = settings_module.read_settings(HERE / "benchmarks/report.toml")
    for records in settings.records:
        for row in work.rows_of(settings_module.Records(name=records.name, file=str(HERE / records.file))):
            assert isinstance(row.cheap, CheapLeg)
            assert len(row.cheap.samples) == 10
            assert [name for name in wanted if getattr(row.cheap, name) is None] == []
