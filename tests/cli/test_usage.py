"""`streamroute usage`: what a ledger adds up to, and its rows as files."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from streamroute.cli.main import main
from streamroute.gateway.ledger.ledger import SqliteLedger
from streamroute.routing.stream import LegState
from tests.gateway.ledger.told import NOON, escalated, leg, opened, outcome, routed

TOMORROW = NOON + 86_400


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """An escalated request of alice's, a plain and a failed one without a key the day after, and one that is lost."""
    path = tmp_path / "ledger.db"

    async def write() -> None:
        made = SqliteLedger.in_file(str(path), threaded=False)
        made.open(opened(id="a", key="alice")).settle(outcome(escalated()))
        made.open(opened(id="b", route="other", started=TOMORROW)).settle(outcome())
        broken = leg(1, state=LegState.FAILED, counted=False, cost=0.5, error="secret", failure="UpstreamTimeoutError")
        made.open(opened(id="c", started=TOMORROW)).settle(outcome(routed(broken, tier=None), status=502))
        made.open(opened(id="d", started=TOMORROW + 1))
        await made.aclose()

    asyncio.run(write())
    return path


def told(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    assert main(["usage", *args, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_all_of_it_tells_answers_from_what_was_spent_beside_them(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = told(capsys, str(ledger))
    assert line == {
        "name": "",
        "requests": 4,
        "failed": 1,
        "lost": 1,
        "open": 0,
        "prompt_counted": 40,
        "prompt_estimated": 20,
        "completion_counted": 20,
        "completion_estimated": 10,
        "answers": 1.25,
        "superseded": 0.625,
        "probes": 0.0625,
        "uncertain": 0.125,
        "cost": 1.9375,
    }


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("key", {"": (3, 0.75), "alice": (1, 1.1875)}),
        ("route", {"auto": (3, 1.6875), "other": (1, 0.25)}),
        ("model", {"cheap-1": (2, 0.4375), "large-1": (2, 1.5)}),
        ("day", {"2026-11-24": (1, 1.1875), "2026-11-25": (3, 0.75)}),
    ],
)
def test_by_each_dimension(
    ledger: Path, capsys: pytest.CaptureFixture[str], by: str, expected: dict[str, tuple[int, float]]
) -> None:
    lines = told(capsys, str(ledger), "--by", by)
    assert {line["name"]: (line["requests"], line["cost"]) for line in lines} == expected


@pytest.mark.parametrize("date", ["2026-11-25", "2026-11-25T12:00"])
def test_since_a_date(ledger: Path, capsys: pytest.CaptureFixture[str], date: str) -> None:
    (line,) = told(capsys, str(ledger), "--since", date)
    assert (line["requests"], line["cost"]) == (3, 0.75)


def test_the_table_marks_estimates_and_uncertain_money(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", str(ledger), "--by", "key"]) == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert lines["alice"] == ["alice", "1", "0", "0", "30+~10", "15+~5", "1.1875?", "1", "0.125", "0.0625"]


def test_an_empty_ledger_has_no_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def write() -> None:
        await SqliteLedger.in_file(str(tmp_path / "ledger.db"), threaded=False).aclose()

    asyncio.run(write())
    assert told(capsys, str(tmp_path / "ledger.db")) == []


def test_the_file_may_be_named_by_its_configuration_while_a_server_writes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gateway.toml"
    upstream = '[[upstream]]\nname = "a"\nkind = "openai"\nbase_url = "http://h/v1"\nmodel = "m"\n'
    config.write_text(f'[server]\nledger_file = "kept.db"\n{upstream}[[route]]\nname = "r"\ntiers = ["a"]\n')

    async def write() -> None:
        made = SqliteLedger.in_file(str(tmp_path / "kept.db"))
        account = made.open(opened())
        account.settle(outcome())
        await account.written()
        await made.open(opened()).written()
        (line,) = told(capsys, "--config", str(config))
        assert (line["requests"], line["open"], line["cost"]) == (2, 1, 0.25)
        await made.aclose()

    asyncio.run(write())


def test_requests_and_legs_as_csv(ledger: Path, tmp_path: Path) -> None:
    for name, more in (("requests.csv", ()), ("legs.csv", ("--legs",))):
        assert main(["usage", str(ledger), "--export", str(tmp_path / name), *more]) == 0
    with (tmp_path / "requests.csv").open() as file:
        requests = list(csv.DictReader(file))
    with (tmp_path / "legs.csv").open() as file:
        legs = list(csv.DictReader(file))
    assert [(row["id"], row["state"]) for row in requests] == [(i, "settled") for i in "abc"] + [("d", "lost")]
    assert [(row["request_id"], row["role"], row["model"]) for row in legs][:4] == [
        ("a", "superseded", "cheap-1"),
        ("a", "probe", "cheap-1"),
        ("a", "probe", "cheap-1"),
        ("a", "answer", "large-1"),
    ]
    assert "secret" not in (tmp_path / "requests.csv").read_text() + (tmp_path / "legs.csv").read_text()


@pytest.mark.parametrize("legs", [False, True])
def test_parquet_has_the_same_rows_with_their_types(ledger: Path, tmp_path: Path, legs: bool) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    assert main(["usage", str(ledger), "--export", str(path), *(["--legs"] if legs else [])]) == 0
    rows = parquet.read_table(path).to_pylist()
    if legs:
        assert [(row["request_id"], row["counted"], row["cost"]) for row in rows][:2] == [
            ("a", False, 0.125),
            ("a", True, 0.0625),
        ]
    else:
        assert [(row["id"], row["stream"], row["retracted"], row["status"]) for row in rows] == [
            ("a", True, True, 200),
            ("b", True, False, 200),
            ("c", True, False, 502),
            ("d", True, None, None),
        ]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "name either the ledger's file or"),
        (("x.db", "--config", "y.toml"), "name either the ledger's file or"),
        (("nowhere.db",), "nowhere.db: no such file"),
        (("{ledger}", "--since", "yesterday"), "--since: expected a UTC date like 2026-11-24"),
        (("{ledger}", "--legs"), "--legs says what to --export"),
        (("{ledger}", "--export", "rows.xlsx"), "rows.xlsx: expected a name that ends with .csv or .parquet"),
        (("{ledger}", "--export", "/nowhere/rows.csv"), "/nowhere/rows.csv: cannot be written: No such file"),
        (("{ledger}", "--export", "/nowhere/rows.parquet"), "/nowhere/rows.parquet: cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(
    ledger: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], said: str
) -> None:
    assert main(["usage", *(arg.format(ledger=ledger) for arg in args)]) == 2
    assert said in capsys.readouterr().err


def test_a_configuration_without_a_ledger_file_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "gateway.toml"
    upstream = '[[upstream]]\nname = "a"\nkind = "openai"\nbase_url = "http://h/v1"\nmodel = "m"\n'
    config.write_text(f'{upstream}[[route]]\nname = "r"\ntiers = ["a"]\n')
    assert main(["usage", "--config", str(config)]) == 2
    assert "names no ledger_file" in capsys.readouterr().err


def test_without_pyarrow_the_extra_is_named(
    ledger: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["usage", str(ledger), "--export", "rows.parquet"]) == 2
    assert "pip install 'streamroute[parquet]'" in capsys.readouterr().err
