"""Rows of labelled records: what they may say, and what is wrong with those that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamroute.calibration.records import Record, decode_record, encode_record, labelled
from streamroute.core.types import Features
from tests.calibration.made import records

FEATURES = {"disagreement": 0.5, "contradiction": 0.25, "entropy": 0.0, "snne": 1.0}


def decoded(row: dict[str, Any], number: int = 7) -> Record | None:
    return decode_record(json.dumps(row).encode(), number=number)


def test_a_whole_row_is_read_and_what_is_unknown_ignored() -> None:
    row = {
        "id": 3,
        "score": 0.25,
        "features": FEATURES | {"minority": True, "doubt": None, "prior": 1},
        "correct": False,
        "large_wrong": False,
        "cost": 0.5,
        "question": "Who?",
        "tier": "cheap",
        "verdict": "escalate",
    }
    assert decoded(row) == Record(
        id="3",
        score=0.25,
        features=Features(disagreement=0.5, contradiction=0.25, entropy=0, snne=1, minority=True, prior=1.0),
        wrong=True,
        large_wrong=False,
        cost=0.5,
        escalated=True,
        group="Who?",
    )


def test_score_and_features_may_stand_under_evidence_as_a_gateway_replies() -> None:
    found = decoded({"id": "req_1", "evidence": {"score": 0.5, "features": FEATURES, "samples": 3}})
    assert found is not None
    assert (found.score, found.wrong, found.group) == (0.5, None, "req_1")
    assert found.features is not None


def test_what_is_written_is_read_as_it_was() -> None:
    for record in records(20, cost=0.1):
        assert decode_record(encode_record(record), number=1) == record
    bare = Record(id="a", score=0.5, group="a")
    assert decode_record(encode_record(bare), number=1) == bare
    assert b"wrong" not in encode_record(bare)


def test_a_row_without_an_id_is_named_by_its_number_and_a_group_of_its_own() -> None:
    found = decoded({"score": 1, "wrong": False})
    assert found is not None
    assert (found.id, found.group, found.wrong) == ("7", "7", False)


def test_the_score_of_an_early_verdict_is_not_final() -> None:
    for row, final in (
        ({"score": 0.5}, True),
        ({"score": 0.5, "score_bounds": [0.5, 0.5]}, True),
        ({"score": 0.5, "score_bounds": [0.4, 0.6]}, False),
        ({"evidence": {"score": 0.5, "samples": 3, "expected": 5}}, False),
        ({"evidence": {"score": 0.5, "samples": 5, "expected": 5}}, True),
    ):
        found = decoded(row)
        assert found is not None
        assert found.final is final


def test_a_row_that_was_not_judged_is_no_record() -> None:
    assert decoded({"id": 1, "score": None}) is None
    assert decoded({"id": 1, "evidence": None}) is None


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"score": 1.5}, "`score` is 1.5"),
        ({"score": "x"}, r"\$.score"),
        ({"score": 0.5, "wrong": True, "correct": True}, "contradict"),
        ({"score": 0.5, "cost": -1}, "`cost` is -1"),
        ({"score": 0.5, "features": FEATURES | {"entropi": 1}}, "'entropi', which is none"),
        ({"score": 0.5, "features": FEATURES | {"entropy": 2}}, "`features.entropy` is 2"),
        ({"score": 0.5, "features": {"entropy": 1}}, "`features.disagreement` is missing"),
    ],
)
def test_what_cannot_be_is_refused_by_name(row: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decoded(row)


def test_only_records_with_a_label_are_labelled() -> None:
    known, unknown = Record(id="a", score=0, wrong=False), Record(id="b", score=0)
    assert labelled([known, unknown]) == [known]
