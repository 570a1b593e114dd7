"""The benchmark of the first kept token, with scripted models in virtual time, where every moment is exact."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks.kept_token.rows import Rows
from benchmarks.kept_token.run import answer_all, questions_of
from benchmarks.kept_token.summary import figures_of, lines_of
from benchmarks.kept_token.systems import SYSTEMS, Measured, Row, forget, measure, order_of
from streamroute.cli.questions import Question
from streamroute.core.policy import Threshold
from streamroute.errors import ConfigError, DataFileError
from streamroute.routing.router import ProbePlan, Router, Tier
from streamroute.testing import CallState, Script, ScriptedScorer, ScriptedUpstream, run_virtual

QUESTIONS = [
    Question(id=name, question=f"{name}: what is the capital of Australia?", gold=("Canberra",), kind="free")
    for name in ("one", "two", "three")
]

DRAFT, PROBE, VERDICT, LARGE = 1.0, 2.0, 0.5, 4.0
"""Seconds: the whole cheap answer (its first word comes at half of it), its only probe, the judge, the large model's
first word."""


class Box:
    """Two models and a judge. The probe agrees with the cheap answer or does not."""

    def __init__(self, *, agree: bool = False, large: Script | None = None) -> None:
        probe = "It's Sydney." if agree else "It's Perth."
        self.cheap = ScriptedUpstream(
            Script.of("It's Sydney.", first=DRAFT / 2, gap=DRAFT / 2), [Script.of(probe, first=PROBE, gap=0)]
        )
        self.large = ScriptedUpstream(large or Script.of("It's Canberra.", first=LARGE, gap=1.0), name="large")
        self.scorer = ScriptedScorer(delay=VERDICT)
        tiers = [Tier(upstream=self.cheap, probes=ProbePlan(count=1)), Tier(upstream=self.large)]
        self.router = Router(tiers, scorer=self.scorer, policy=Threshold(0.5), decision_deadline=60.0)

    def measured(self, system: str) -> Measured:
        return run_virtual(lambda: measure(system, self.router, self.scorer, QUESTIONS[0]))

    def answered(self, out: Path, count: int = len(QUESTIONS)) -> list[Row]:
        return run_virtual(lambda: answer_all(self.router, self.scorer, QUESTIONS[:count], out))


@pytest.mark.parametrize(
    ("system", "shown", "kept", "end"),
    [
        ("always-cheap", DRAFT / 2, DRAFT / 2, DRAFT),
        ("always-large", LARGE, LARGE, LARGE + 1),
        ("sequential", DRAFT + PROBE + VERDICT + LARGE, DRAFT + PROBE + VERDICT + LARGE, 8.5),
        ("hold", PROBE + VERDICT + LARGE, PROBE + VERDICT + LARGE, 7.5),
        ("retract", DRAFT / 2, PROBE + VERDICT + LARGE, 7.5),
        ("auto", PROBE + VERDICT + LARGE, PROBE + VERDICT + LARGE, 7.5),
    ],
)
def test_when_a_token_is_kept_of_an_answer_that_is_escalated(
    system: str, shown: float, kept: float, end: float
) -> None:
    found = Box().measured(system)
    assert (found.first_shown, found.first_kept, found.end) == pytest.approx((shown, kept, end))
    alone = system.startswith("always")
    assert (found.escalated, found.retracted) == (None if alone else True, system == "retract")
    assert found.right is (system != "always-cheap")


@pytest.mark.parametrize(
    ("system", "shown", "kept"),
    [
        ("sequential", DRAFT + PROBE + VERDICT, DRAFT + PROBE + VERDICT),
        ("hold", PROBE + VERDICT, PROBE + VERDICT),
        ("retract", DRAFT / 2, DRAFT / 2),
        ("auto", PROBE + VERDICT, PROBE + VERDICT),
    ],
)
def test_when_a_token_is_kept_of_an_answer_that_stands(system: str, shown: float, kept: float) -> None:
    found = Box(agree=True).measured(system)
    assert (found.first_shown, found.first_kept) == pytest.approx((shown, kept))
    assert (found.escalated, found.retracted, found.right) == (False, False, False)
    assert found.legs == {"tier 0": 2, "tier 0 probe 0": 2}


def test_the_sequential_cascade_asks_for_nothing_before_its_draft_has_ended() -> None:
    box = Box()
    box.measured("sequential")
    draft, probe = box.cheap.calls
    assert [call.request.probe for call in box.cheap.calls] == [False, True]
    assert (draft.ended, probe.ended) == (DRAFT, DRAFT + PROBE)
    assert box.large.calls[0].started == DRAFT + PROBE + VERDICT


def test_a_sequential_cascade_whose_draft_fails_asks_for_no_probe() -> None:
    box = Box()
    box.cheap.answer = Script.failing()
    found = box.measured("sequential")
    assert (found.reason, found.right) == ("answer_failed", True)
    assert [call.state for call in box.cheap.calls] == [CallState.FAILED]


@pytest.mark.parametrize("system", ["always-large", "sequential", "retract"])
def test_an_answer_that_breaks_off_has_no_token_that_was_kept(system: str) -> None:
    found = Box(large=Script.failing(after=LARGE, text="It's Canberra")).measured(system)
    assert found.first_shown is not None
    assert (found.first_kept, found.failed, found.right) == (None, True, False)
    assert "scripted failure" in found.reason


def test_all_are_asked_alike_of_one_slot_and_forget_by_another_question() -> None:
    box = Box()
    run_virtual(lambda: forget(box.router))
    for system in SYSTEMS:
        box.measured(system)
    calls = [*box.cheap.calls, *box.large.calls]
    assert all(call.request.params["id_slot"] == 0 for call in calls)
    assert {call.request.params["temperature"] for call in calls if not call.request.probe} == {0.0}
    others = [call.request for call in calls if call.request.messages[-1]["content"] == "Hello!"]
    assert [(request.probe, request.params["max_tokens"]) for request in others] == [(False, 1), (True, 1), (False, 1)]


def test_every_system_has_every_place_in_turn(tmp_path: Path) -> None:
    orders = [order_of(number) for number in range(len(SYSTEMS))]
    assert all(sorted(each) == sorted(SYSTEMS) for each in (*orders, *zip(*orders, strict=True)))
    rows = Box().answered(tmp_path / "rows.jsonl")
    assert [tuple(row.systems) for row in rows] == orders[: len(rows)]


def test_a_later_run_measures_what_is_missing_and_no_more(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    first = Box().answered(out, count=2)
    written = out.read_bytes()
    out.write_bytes(written[:-40])  # killed while it wrote the last line
    box = Box()
    rows = box.answered(out)
    asked = {call.request.messages[-1]["content"].split(":")[0] for call in box.large.calls}
    assert asked == {"Hello!", "What is the capital of France?", "two", "three"}
    assert rows[0] == first[0]
    assert [row.id for row in rows] == [msgspec.json.decode(line)["id"] for line in out.read_bytes().splitlines()]
    again = Box()
    assert again.answered(out) == rows
    assert again.large.calls == []


def test_a_file_of_anything_else_is_left_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    for content, told in (("mine", "its last line"), ('{"id": 1}\n', "line 1: not a measured")):
        out.write_text(content)
        with pytest.raises(DataFileError, match=told):
            Box().answered(out)
        assert out.read_text() == content


def test_questions_that_were_measured_otherwise_are_not_mixed_in(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    Box().answered(out, count=1)
    other = Box()
    other.router = Router(other.router.tiers, scorer=other.scorer, policy=Threshold(0.7))
    with pytest.raises(DataFileError, match="line 1: was measured with"):
        other.answered(out, count=1)


def test_two_runs_never_write_into_one_file(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    with Rows(out, ""), pytest.raises(DataFileError, match="another process"):
        Rows(out, "")


def test_questions_come_from_several_files_and_each_once(tmp_path: Path) -> None:
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for file, question in zip(files, QUESTIONS, strict=False):
        file.write_bytes(msgspec.json.encode(question))
    assert questions_of(files, None) == QUESTIONS[:2]
    assert questions_of(files, 1) == QUESTIONS[:1]
    with pytest.raises(ConfigError, match="same id"):
        questions_of([*files, files[0]], None)


def test_figures_are_of_each_system_and_its_ratios_to_either_model_alone(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    figures = figures_of(Box().answered(out), resamples=20)
    hold, retract = figures["systems"]["hold"], figures["systems"]["retract"]
    assert hold["first_kept"] == {"n": 3, "p50": pytest.approx(6.5), "p95": pytest.approx(6.5)}
    assert hold["first_kept_of_kept"] is None
    assert (hold["right"], hold["escalated"], hold["retracted"], retract["retracted"]) == (1.0, 1.0, 0, 3)
    assert (hold["cheap_tokens"], hold["probe_tokens"], hold["large_tokens"]) == (2, 2, 2)
    ratio = figures["ratios"]["retract"]["always-cheap"]
    assert ratio["first_shown"]["median_of_ratios"] == pytest.approx(1.0)
    assert ratio["first_kept_of_escalated"]["ratio_of_medians"] == pytest.approx(13.0)
    assert ratio["first_kept_of_escalated"]["ratio_of_medians_95"] == pytest.approx((13.0, 13.0))
    assert set(figures["ratios"]["always-large"]) == {"always-cheap"}
    assert any(line.startswith("retract") and "13.00 (13.00 to 13.00)" in line for line in lines_of(figures))


def test_a_ratio_is_over_the_same_question_and_leaves_out_what_was_not_kept() -> None:
    def found(kept: float | None, *, escalated: bool | None = None) -> Measured:
        return Measured(
            first_shown=kept, first_kept=kept, decided=None, end=9.0, escalated=escalated, retracted=False, right=False,
            failed=kept is None, reason="", text="", legs={},
        )  # fmt: skip

    alone, kept = (1.0, 2.0, 4.0, 8.0), (3.0, 4.0, 4.0, None)
    rows = [
        Row(
            id=str(number), setup="", load=0.0,
            systems=dict.fromkeys(SYSTEMS, found(base)) | {"hold": found(own, escalated=number > 0)},
        )
        for number, (base, own) in enumerate(zip(alone, kept, strict=True))
    ]  # fmt: skip
    figures = figures_of(rows, resamples=200)
    ratios = figures["ratios"]["hold"]["always-cheap"]
    assert (ratios["first_kept"]["n"], ratios["first_kept"]["median_of_ratios"]) == (3, 2.0)
    assert ratios["first_kept"]["ratio_of_medians"] == 2.0
    assert ratios["first_kept_of_kept"]["median_of_ratios"] == 3.0
    assert ratios["first_kept_of_escalated"]["median_of_ratios"] == 1.5
    low, high = ratios["first_kept"]["median_of_ratios_95"]
    assert 1.0 <= low < 2.0 < high <= 3.0
    assert figures["systems"]["hold"]["failed"] == 1
