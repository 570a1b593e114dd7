from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from streamroute.core.plan import ProbeSchedule
from streamroute.core.types import Evidence, Features
from streamroute.errors import DataFileError
from streamroute.evaluation.simulation.evidence import BlockingJudge, identity, judge_all, load_judged, save_judged
from streamroute.evaluation.simulation.legs import Asked, RecordedRoute, whole_drafts
from streamroute.evaluation.simulation.simulate import simulate
from streamroute.nli.manifest import bundled_manifest, read_manifest
from tests.evaluation.judges import CONTRADICTS, ENTAILS
from tests.evaluation.judges import Written as WrittenModel
from tests.evaluation.simulation.recorded import BILLING, TIMINGS, Written, plan, route

JUDGE = {"model": "m", "sha256": "0"}
SCHEDULE = ProbeSchedule(count=2)


def test_the_real_judge_is_asked_in_time_and_loaded_at_the_first_question() -> None:
    loads: list[str] = []
    model = WrittenModel({("It is Rome.", "Oslo."): CONTRADICTS, ("It is Rome.", "Rome."): ENTAILS})

    def load() -> WrittenModel:
        loads.append("loaded")
        return model

    found = route()
    with BlockingJudge(load) as judge:
        assert loads == []
        judge_all([found], SCHEDULE, judge, TIMINGS.judge)
    assert loads == ["loaded"]
    last = found.evidence[Asked(0, 11, True, (0, 1), 2)]
    assert (last.samples, last.expected, last.answer_judged, last.seconds) == (2, 2, True, 0.0)
    assert len(last.sizes) == 2
    pairs = [pair for call in model.calls for pair in call]
    assert len(pairs) == len(set(pairs)), "a pair is compared once, in whichever question it occurs"


def test_all_that_a_policy_can_ask_is_asked_at_once() -> None:
    judge, found, done = Written((0.4, 0.9)), route(), list[int]()
    judge_all([found], SCHEDULE, judge, TIMINGS.judge, progress=done.append)
    assert done == [1]
    before = len(judge.asked)
    for limit in (0.1, 0.5, 0.95):
        simulate(found, plan(limit), judge, BILLING, TIMINGS.judge)
    assert len(judge.asked) == before


def test_whole_drafts_share_what_the_judge_said() -> None:
    judge, found = Written(), route()
    judge_all([whole_drafts(found)], SCHEDULE, judge, TIMINGS.judge)
    assert found.evidence.keys() == set(judge.asked)


def test_what_was_judged_comes_back_from_a_file(tmp_path: Path) -> None:
    path, before, after = tmp_path / "judged.jsonl", route(), route()
    judge_all([before], SCHEDULE, Written(), TIMINGS.judge)
    features = Features(disagreement=0.5, contradiction=0.25, entropy=0.125, snne=0.0, minority=True)
    asked = Asked(0, 3, False, (1,), 2)
    before.evidence[asked] = Evidence(
        samples=1, expected=2, score=0.1, sizes=(1, 2), assignment=(0,), features=features
    )
    save_judged(path, [before], JUDGE)
    assert load_judged(path, [after], JUDGE) == len(before.evidence)
    assert after.evidence == before.evidence
    assert [entry.name for entry in tmp_path.iterdir()] == ["judged.jsonl"]
    assert simulate(after, plan(), Written(broken=True), BILLING) == simulate(before, plan(), Written(), BILLING)


def test_rows_that_are_not_asked_for_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "judged.jsonl"
    other = RecordedRoute(
        "r2", "Who?", route().tiers, evidence={Asked(0, 1, True, (0,), 1): Evidence(samples=1, expected=1, score=0)}
    )
    save_judged(path, [other], JUDGE)
    assert load_judged(path, [route()], JUDGE) == 0


def test_a_file_of_other_texts_or_of_another_judge_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "judged.jsonl"
    found = route()
    judge_all([found], SCHEDULE, Written(), TIMINGS.judge)
    save_judged(path, [found], JUDGE)
    for changed in (route("It is Bern."), route(samples=["Rome.", "Bern."])):
        with pytest.raises(DataFileError, match="row r1 was judged with other texts"):
            load_judged(path, [changed], JUDGE)
    with pytest.raises(DataFileError, match="is of another judge"):
        load_judged(path, [found], {"model": "n", "sha256": "0"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"version": 0, "judge": {"model": "m", "sha256": "0"}}', "another version"),
        ('{"id": "r1"}', "line 1: not what was judged"),
        ('{"version": 1, "judge": {"model": "m", "sha256": "0"}}\n{"id": 3}', "line 2: not what was judged"),
    ],
)
def test_a_file_of_something_else_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "judged.jsonl"
    path.write_text(text)
    with pytest.raises(DataFileError, match=complaint):
        load_judged(path, [route()], JUDGE)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be written"):
        save_judged(tmp_path / "none" / "judged.jsonl", [route()], JUDGE)


def test_a_line_of_the_file_is_plain_json(tmp_path: Path) -> None:
    path, found = tmp_path / "judged.jsonl", route()
    judge_all([found], SCHEDULE, Written(), TIMINGS.judge)
    save_judged(path, [found], JUDGE)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {"version": 1, "judge": JUDGE}
    assert {line["id"] for line in lines[1:]} == {"r1"}


def test_a_judge_is_known_by_its_model_and_by_what_scales_it() -> None:
    models, default = read_manifest(bundled_manifest())
    first = identity(models[default], 8)
    assert first == identity(models[default], 8)
    assert first["model"] == default
    assert first != identity(models[default], 9)
    assert first != identity(dataclasses.replace(models[default], sha256="0"), 8)
