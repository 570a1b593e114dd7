"""The benchmarks as one command: those that need data of yours say so, and run with it."""

from __future__ import annotations

import json
import sys
from importlib import import_module

import pytest

runner = import_module("benchmarks.__main__")


def ran(monkeypatch: pytest.MonkeyPatch, *args: str) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []

    def figures(name: str, *, quick: bool, rows: str | None) -> dict[str, object]:
        found.append((name, rows))
        return {"figure": 1}

    monkeypatch.setattr(runner, "figures", figures)
    monkeypatch.setattr(sys, "argv", ["benchmarks", *args])
    assert runner.main() == 0
    return found


def test_what_needs_a_file_is_left_out_without_one_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [name for name, _ in ran(monkeypatch, "--json")] == list(runner.BENCHMARKS)
    told = capsys.readouterr()
    assert told.err == "stopping and guarantees need --rows FILE and are left out\n"
    assert json.loads(told.out) == {name: {"figure": 1} for name in runner.BENCHMARKS}
    assert ran(monkeypatch, "stopping", "--rows", "mine.jsonl") == [("stopping", "mine.jsonl")]
    assert capsys.readouterr().err == ""


def test_every_benchmark_is_a_module_with_a_main() -> None:
    for name in (*runner.BENCHMARKS, *runner.OF_ROWS):
        assert callable(import_module(f"benchmarks.{name}").main)
