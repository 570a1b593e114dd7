import json
from importlib import resources
from typing import Any

import jsonschema
import pytest

from streamroute.calibration.records import decode_record
from streamroute.core.plan import Plan, ProbeSchedule
from streamroute.core.trace import Trace, replay
from streamroute.core.types import Release
from streamroute.testing import Script
from tests.cli.routes import QUESTION, asked, large, small


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    text = (resources.files("streamroute.cli") / "ask.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(loaded)
    return loaded


@pytest.mark.parametrize("release", list(Release))
@pytest.mark.parametrize(
    "cheap",
    [
        small(),
        small(probes=["Sydney.", "Sydney.", "Sydney."]),
        small(answer=Script.failing(name="small")),
        small(probes=[Script.failing(name="small")]),
    ],
    ids=["disagree", "agree", "cheap fails", "probes fail"],
)
def test_every_kind_of_route_gives_an_object_of_the_schema(
    schema: dict[str, Any], cheap: Any, release: Release
) -> None:
    document = json.loads(json.dumps(asked(cheap, release=release).to_dict()))
    jsonschema.Draft202012Validator(schema).validate(document)


def test_the_object_says_who_answered_and_why() -> None:
    document = asked(release=Release.RETRACT).to_dict()
    assert document["question"] == QUESTION
    assert document["answer"] == "Canberra."
    assert (document["tier"], document["tier_name"]) == (1, "large")
    assert document["verdict"] == "escalate"
    assert document["reason"]
    assert document["retracted"] is True
    assert {leg["leg"] for leg in document["legs"]} == {"answer", "probe"}


def test_the_trace_can_be_replayed_to_the_same_answer() -> None:
    watched = asked()
    trace = Trace.loads(json.dumps(watched.to_dict()["trace"]))
    replayed = replay(trace, Plan(tiers=(ProbeSchedule(count=3), None)))
    assert replayed.cascade.verdict == watched.route.verdict
    assert replayed.cascade.tier == watched.route.tier


def test_an_answer_of_one_word_that_fails_everywhere_leaves_no_model_running() -> None:
    cheap, dear = small(answer=Script.failing(name="small")), large(Script.failing(name="large"))
    with pytest.raises(Exception, match="every leg failed"):
        asked(cheap, dear)
    assert cheap.running == dear.running == 0
    assert cheap.closed
    assert dear.closed


def test_what_ask_prints_is_a_record_to_calibrate_by() -> None:
    document = asked(small()).to_dict() | {"wrong": True}
    record = decode_record(json.dumps(document).encode(), number=1)
    assert record is not None
    assert (record.score, record.wrong, record.escalated, record.group) == (document["score"], True, True, QUESTION)
