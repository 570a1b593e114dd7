"""The report: its files, its settings, and the section of the README that is made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamroute.errors import ConfigError
from streamroute.uncertainty.base import Pair, Relations
from tests.evaluation.comparison.test_sets import SameWords, row

report = import_module("benchmarks.report")
readme = import_module("benchmarks.readme")
settings_module = import_module("benchmarks.reporting.settings")


class Counting(SameWords):
    asked = 0

    def relations(self, pairs: Sequence[Pair]) -> Sequence[Relations]:
        self.asked += len(pairs)
        return super().relations(pairs)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Counting:
    model = Counting()
    monkeypatch.setattr(report, "load_model", lambda spec: model)
    return model


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(row(number)) + b"\n" for number in range(20)))
    return path


def made(tmp_path: Path, records: Path, *, ratio: float = 15.0) -> dict[str, Any]:
    settings = tmp_path / "settings.toml"
    text = f'samples = 3\nprice_ratio = {ratio}\nresamples = 20\ncounts = [1, 3]\n[[records]]\nname = "cities"\n'
    settings.write_text(f'{text}file = "{records}"\ntexts = true\n', encoding="utf-8")
    folder = tmp_path / "out"
    assert report.main(["--settings", str(settings), "-o", str(folder), "--judged", str(tmp_path / "judged")]) == 0
    found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return found


def test_a_report_is_figures_a_text_and_a_page_that_needs_no_other_file(
    tmp_path: Path, records: Path, judge: Counting
) -> None:
    found = made(tmp_path, records)
    assert list(found["sets"]) == ["cities"]
    figures = found["sets"]["cities"]
    assert figures["n"] == 20
    assert figures["entries"][0]["auroc"][0] == 1.0
    assert {each["system"] for each in figures["systems"]} >= {"always-cheap", "always-large", "hold", "sequential"}
    assert figures["by_count"]["counts"] == [1, 3]
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "| **streamroute** |" in text
    assert "| It is Canberra. |" not in text.split("## Where it fails")[0]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'src="([^"]{0,20})', page)
    assert all(source.startswith("data:image/png;") for source in re.findall(r'src="([^"]{0,40})', page))
    assert "http" not in re.sub(r'src="[^"]*"', "", page)


def test_another_price_changes_costs_and_asks_the_judge_nothing(tmp_path: Path, records: Path, judge: Counting) -> None:
    before = made(tmp_path, records)
    asked = judge.asked
    after = made(tmp_path, records, ratio=50.0)
    assert asked > 0
    assert judge.asked == asked
    ours = [each["sets"]["cities"]["entries"][0] for each in (before, after)]
    assert ours[0]["auroc"] == ours[1]["auroc"]
    assert ours[0]["held_out"]["cost"][0] > ours[1]["held_out"]["cost"][0]


def test_a_miss_is_told_first(tmp_path: Path, records: Path, judge: Counting) -> None:
    made(tmp_path, records)
    first = (tmp_path / "out" / "report.md").read_text(encoding="utf-8").split("\n\n")[1]
    assert first.startswith("- **cities**: **not reached**") or first.startswith("- **cities**: **half reached**")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("share = 2.0", "share"),
        ("price_ratios = 3.0", "did you mean `price_ratio`"),
        ("samples = 0", "samples"),
        ("samples =", "not valid TOML"),
    ],
)
def test_settings_that_are_wrong_are_told_by_their_name(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        settings_module.read_settings(path)


def test_without_records_there_is_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.toml"
    path.write_text("samples = 3", encoding="utf-8")
    assert report.main(["--settings", str(path), "-o", str(tmp_path), "--judged", str(tmp_path / "j")]) == 2
    assert "no records" in capsys.readouterr().err


def test_the_section_of_the_readme_is_made_of_the_report_alone(tmp_path: Path, records: Path, judge: Counting) -> None:
    found = made(tmp_path, records)
    section = readme.section_of(found)
    assert "**cities**, 20 questions." in section
    assert "| `streamroute` | after the samples | 1.000" in section
    text = readme.replaced(f"a\n{readme.BEGIN}\noutdated\n{readme.END}\nb\n", section)
    assert text == readme.replaced(text, section)
    assert "outdated" not in text
    with pytest.raises(ValueError, match="has no"):
        readme.replaced("nothing", section)
