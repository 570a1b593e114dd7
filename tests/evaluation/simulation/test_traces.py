from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamroute.errors import DataFileError
from streamroute.evaluation.simulation.legs import RecordedRoute
from streamroute.evaluation.simulation.simulate import simulate
from streamroute.evaluation.simulation.timings import JudgePace, Timings
from streamroute.evaluation.simulation.traces import read_routes
from tests.cli.routes import QUESTION, asked, large, small
from tests.evaluation.simulation.recorded import BILLING, about, plan, scripted

ROW = {"id": "q1", "question": "Who?", "cheap": {"answer": "Ann.", "samples": ["Bob."]}, "large": {"answer": "Bob."}}


def written(path: Path, *values: Any) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def test_rows_with_both_answers_are_read_and_the_others_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", ROW, {**ROW, "large": None}, {**ROW, "id": "q3"})
    rows, left_out = read_routes(path)
    assert ([row.id for row in rows], left_out) == (["q1", "q3"], 1)
    assert [row.id for row in read_routes(path, limit=1)[0]] == ["q1"]


def test_a_route_that_ask_printed_comes_back_with_its_legs_and_moments(tmp_path: Path) -> None:
    dear = large("Canberra. It has been so since 1913.")
    route = asked(small(answer="Sydney is it."), dear).to_dict()
    (row,), left_out = read_routes(written(tmp_path / "routes.jsonl", route))
    assert (row.question, row.cheap.answer, left_out) == (QUESTION, "Sydney is it.", 0)
    assert row.cheap.samples == ["Canberra.", "Perth.", "Sydney."]
    assert row.large is not None
    assert row.large.answer == "Canberra. It has been so since 1913."
    timing = row.cheap.timing
    assert timing is not None
    assert (timing.first, timing.end) == (about(0.1), about(0.14))
    assert [characters for _, characters in timing.steps or ()] == [6, 9, 13]
    # The same plan over the same legs makes the same route.
    found = simulate(
        RecordedRoute.of(row, Timings()), plan(probes=3), scripted, BILLING, JudgePace(verdict=0.01, pair=0)
    )
    assert (found.tier, found.decided) == (1, about(route["timings"]["decided"]))
    assert found.first_kept == about(route["timings"]["first_kept"])
    assert found.finished == about(route["timings"]["finished"])


def test_what_the_core_heard_after_the_leg_had_ended_still_counts(tmp_path: Path) -> None:
    route = asked(small(answer="Sydney is it.")).to_dict()
    route["legs"][0]["ended"] -= 0.03
    (row,), _ = read_routes(written(tmp_path / "routes.jsonl", route))
    assert row.cheap.timing is not None
    assert row.cheap.timing.end == about(0.14)


def test_routes_that_their_own_verdict_cut_short_are_counted(tmp_path: Path) -> None:
    whole, kept = asked().to_dict(), asked(small(probes=["Sydney."])).to_dict()
    cut = asked(small(answer="Sydney. " + "And more of it " * 20)).to_dict()
    rows, left_out = read_routes(written(tmp_path / "routes.jsonl", kept, whole, cut))
    assert ([row.id for row in rows], left_out) == (["line 2"], 2)
    assert len(read_routes(written(tmp_path / "routes.jsonl", whole, whole), limit=1)[0]) == 1


def test_where_nothing_is_whole_it_says_what_is_needed(tmp_path: Path) -> None:
    path = written(tmp_path / "routes.jsonl", asked(small(probes=["Sydney."])).to_dict())
    with pytest.raises(DataFileError, match=r"none of 1 routes .* needs the cheap answer, its probes and the large"):
        read_routes(path)
    with pytest.raises(DataFileError, match="none of 1 routes"):
        read_routes(written(tmp_path / "rows.jsonl", {**ROW, "large": None}))


def test_a_bare_trace_is_told_what_it_lacks(tmp_path: Path) -> None:
    path = written(tmp_path / "traces.jsonl", asked().to_dict()["trace"])
    with pytest.raises(DataFileError, match="a bare trace says neither the question nor when legs began"):
        read_routes(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no rows"),
        ("{", "line 1"),
        ('{"id": "q1"}', "line 1: .*question"),
        ('{"trace": [], "legs": 3, "question": ""}', "line 1: .*legs"),
        ('{"trace": [1], "legs": [], "question": ""}', "line 1: not a trace"),
    ],
)
def test_a_file_of_something_else_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "file.jsonl"
    path.write_text(text)
    with pytest.raises(DataFileError, match=complaint) as caught:
        read_routes(path)
    assert str(path) in str(caught.value)
