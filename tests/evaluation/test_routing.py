from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamroute.evaluation.judged import judge_rows
from streamroute.evaluation.learned import LEARNED
from streamroute.evaluation.methods import FITTED, OURS, Kind
from streamroute.evaluation.metrics import auroc
from streamroute.evaluation.routing import RoutingReport, assess_routing, evaluate_routing
from streamroute.evaluation.rows import LEAST_LOGPROB, CheapLeg, RoutingRow
from tests.evaluation.judges import Written
from tests.evaluation.routes import ROWS, row

FIGURES = {
    "kind", "auroc", "auroc_ci", "aurc", "auarc", "prr", "ece", "ece_raw", "points", "accuracy_at", "apgr", "cpt50",
    "cpt80", "aiq", "probes", "nli_pairs", "milliseconds",
}  # fmt: skip


def report(rows: list[RoutingRow], samples: int | None = None, folds: int = 5) -> RoutingReport:
    return evaluate_routing(Written(), rows, samples=samples, folds=folds)


def require_finite(value: Any) -> None:
    """Numbers, not NaN; nothing that JSON lacks."""
    json.dumps(value, allow_nan=False)
    if isinstance(value, dict):
        for each in value.values():
            require_finite(each)
    elif isinstance(value, list):
        for each in value:
            require_finite(each)
    elif isinstance(value, float):
        assert math.isfinite(value)


def test_every_method_has_every_figure_under_the_same_names() -> None:
    found = report(ROWS * 2).as_dict()
    require_finite(found)
    assert set(found) == {
        "n", "questions", "paired", "samples", "folds", "without_samples", "share_wrong", "always_cheap",
        "always_large", "oracle", "methods", "differences", "undefined", "nli_pairs", "seconds",
    }  # fmt: skip
    assert {"streamroute", "streamroute-fitted", "random", "refusal", "length", "token-overlap"} <= set(
        found["methods"]
    )
    assert {"discrete-se", "snne-nli", "kle", "deg-entailment", "majority-vote"} <= set(found["methods"])
    assert {"semantic-agreement", "query-router", "answer-scorer"} <= set(found["methods"])
    for figures in found["methods"].values():
        assert set(figures) == FIGURES
        assert [rate for rate, _ in figures["points"]] == pytest.approx([i / 10 for i in range(11)])
        assert list(figures["accuracy_at"]) == ["0.3", "0.5"]
        assert len(figures["auroc_ci"]) == 2


def test_methods_are_ranked_and_scored_on_the_same_rows() -> None:
    found = report(ROWS)
    areas = [each.auroc for each in found.methods.values() if each.auroc is not None]
    assert areas == sorted(areas, reverse=True)
    judged = judge_rows(Written(), ROWS).rows
    wrong = np.array([not each.cheap.correct for each in ROWS])
    assert found.methods[OURS].auroc == auroc(np.array([each.evidence.score for each in judged]), wrong)
    assert found.methods["discrete-se"].auroc == auroc(np.array([e.measures["discrete-se"] for e in judged]), wrong)
    assert found.methods["random"].auroc == 0.5
    assert (found.n, found.paired, found.samples, found.share_wrong) == (6, 5, 3.0, 0.5)


def test_what_escalating_buys_is_measured_on_paired_rows() -> None:
    found = report(ROWS)
    assert (found.always_cheap, found.always_large) == (0.4, 0.8)
    assert found.oracle is not None
    assert found.oracle.points[4][1] == pytest.approx(0.8)
    for each in found.methods.values():
        assert each.routed is not None
        assert [each.routed.points[i][1] for i in (0, -1)] == pytest.approx([0.4, 0.8])
    routed = found.methods["random"].routed
    assert routed is not None
    assert [routed.apgr, routed.cpt80] == pytest.approx([0.5, 0.8])


def test_without_large_answers_nothing_is_said_of_escalating() -> None:
    found = report([each for each in ROWS if each.large is None] + [row("New?", "x", "y", correct=False)])
    assert found.paired == 0
    assert (found.always_cheap, found.always_large, found.oracle) == (None, None, None)
    for figures in found.as_dict()["methods"].values():
        assert figures["points"] is figures["accuracy_at"] is figures["apgr"] is figures["aiq"] is None
        assert figures["auroc"] is not None or figures["ece"] is None


def test_costs_are_told_by_what_a_method_needs() -> None:
    methods = report(ROWS).methods
    for name in ("refusal", "disclaimer", "length", "random"):
        assert (methods[name].probes, methods[name].nli_pairs) == (0, 0)
    for name in ("token-overlap", "snne-rouge-l", "dissimilarity-jaccard", "answer-deg-jaccard"):
        assert (methods[name].probes, methods[name].nli_pairs) == (3, 0)
    clustering, answer, matrix = (methods[n].nli_pairs for n in ("discrete-se", "answer-deg-entailment", "kle"))
    assert methods[OURS].nli_pairs == clustering > 0
    assert 0 < answer < matrix == methods["semantic-agreement"].nli_pairs
    for name in LEARNED:
        assert (methods[name].probes, methods[name].nli_pairs) == (0, 0)


def test_time_is_that_of_the_comparisons_at_the_pace_of_the_judgement() -> None:
    judgement = replace(judge_rows(Written(), ROWS), seconds=3.0)
    methods = assess_routing(ROWS, judgement).methods
    for each in methods.values():
        assert each.milliseconds == pytest.approx(each.nli_pairs * 3_000 / judgement.passes)
    assert methods["random"].milliseconds == methods["query-router"].milliseconds == 0 < methods[OURS].milliseconds
    assert all(each.milliseconds == 0 for each in report(ROWS, samples=0).methods.values())


def test_only_so_many_samples_are_used() -> None:
    assert report(ROWS, samples=2).samples == 2
    assert report(ROWS, samples=99).samples == 3
    assert report([*ROWS, row("Short?", "a", "a")], samples=3).samples == pytest.approx(19 / 7)


def test_no_samples_leave_the_answer_alone() -> None:
    found = report(ROWS, samples=0)
    require_finite(found.as_dict())
    assert (found.n, found.without_samples, found.samples, found.nli_pairs) == (6, 0, 0, 0)
    assert set(found.methods) == {OURS, FITTED, "random", "refusal", "disclaimer", "length", *LEARNED}
    assert found.methods[OURS].auroc is not None


def test_rows_without_samples_are_left_out_among_others() -> None:
    found = report([*ROWS, row("None?", "x", correct=False)])
    assert (found.n, found.without_samples) == (6, 1)


@pytest.mark.parametrize("correct", [True, False])
def test_one_kind_of_answers_ranks_nothing(correct: bool) -> None:
    found = report([row(f"Q{i}?", "a", "a", "b", correct=correct, large=True) for i in range(4)])
    require_finite(found.as_dict())
    for each in found.methods.values():
        assert (each.auroc, each.auroc_ci, each.prr, each.ece) == (None, None, None, None)
    assert all(found.methods[name].aurc is None for name in (FITTED, *LEARNED))
    assert found.differences == ()
    assert found.always_cheap == float(correct)


def test_one_row_is_no_comparison() -> None:
    found = report([row("Q?", "a", "b", correct=False, large=True)])
    require_finite(found.as_dict())
    assert (found.n, found.folds) == (1, 1)
    assert found.methods[OURS].auroc is found.methods[OURS].aurc is None
    assert found.methods[OURS].routed is not None


def test_a_question_asked_twice_is_one_group() -> None:
    found = report([*ROWS, *ROWS])
    assert (found.n, found.questions) == (12, 6)
    again = report([*ROWS, *(row(each.question.upper() + "!", "x", "y") for each in ROWS)])
    assert again.questions == 6


def test_a_method_that_some_row_lacks_is_named_and_left_out() -> None:
    leg = CheapLeg("Ann", ["Ann"], correct=True, logprobs=[-1.0])
    found = report([*ROWS, RoutingRow("", "Whose?", leg)])
    surprises = "mean-token-surprise", "sequence-surprise", "least-token-surprise", "cocoa-msp", "cocoa-ppl"
    assert found.undefined == dict.fromkeys(surprises, 6)
    assert not set(found.undefined) & set(found.methods)
    known = report([RoutingRow("", f"{i}?", CheapLeg("a", ["b"], "", i > 2, [-0.1 * i - 0.1])) for i in range(6)])
    assert known.undefined == {}
    assert known.methods["mean-token-surprise"].auroc == 0
    assert known.methods["mean-token-surprise"].probes == 0


def test_what_the_model_says_of_its_answer_is_compared_where_it_is_recorded() -> None:
    def said(i: int) -> RoutingRow:
        leg = CheapLeg(
            f"a{i}",
            ["b", "c"],
            correct=i % 2 == 0,
            logprobs=[-0.1, -0.2 * i],
            first_top_logprobs=[-0.1, -3.0 + i / 4, LEAST_LOGPROB],
            p_true=LEAST_LOGPROB if i % 2 else -0.01 * (i + 1),
            self_verified=1 - i / 8,
        )
        return RoutingRow("", f"{i}?", leg)

    found = report([said(i) for i in range(8)])
    require_finite(found.as_dict())
    assert {"p-true", "first-token-entropy", "bsdetector", "self-verification", "cocoa-msp"} <= set(found.methods)
    assert found.methods["p-true"].auroc == 1
    assert found.methods["self-verification"].kind is Kind.BASELINE
    assert found.methods["p-true"].probes == found.methods["self-verification"].probes == 0
    part = report([said(0), *ROWS])
    assert part.undefined["p-true"] == part.undefined["self-verification"] == 6


def test_ours_are_compared_with_the_best_of_each_kind() -> None:
    found = report(ROWS * 4)
    assert [(each.method, each.kind) for each in found.differences] == [
        (name, kind) for kind in (Kind.BASELINE, Kind.MEASURE, Kind.LEARNED) for name in (OURS, FITTED)
    ]  # fmt: skip
    for each in found.differences:
        ours, best = found.methods[each.method].auroc, found.methods[each.against].auroc
        assert ours is not None
        assert best is not None
        assert each.auroc == pytest.approx(ours - best)
        kind = [m.auroc for m in found.methods.values() if m.kind is each.kind and m.auroc is not None]
        assert best == max(kind)


def test_ties_of_the_fit_come_out_the_same_every_time() -> None:
    judgement = judge_rows(Written(), ROWS)
    assert assess_routing(ROWS, judgement).as_dict() == assess_routing(ROWS, judgement).as_dict()


@pytest.mark.parametrize(
    ("answer", "samples"),
    [
        ("I do not know.", ("I do not know.", "I cannot say.", "I'm sorry, I cannot answer that.")),
        ("", ("", "", "")),
        ("猫 – \U0001f63a", ("\x00", "\u202e", "café")),
        ("word " * 1_000, ("word " * 1_000, "other")),
    ],
)
def test_any_text_has_its_figures(answer: str, samples: tuple[str, ...]) -> None:
    rows = [row(f"Q{i}?", answer, *samples, correct=i % 2 == 0, large=True) for i in range(4)]
    found = report(rows).as_dict()
    require_finite(found)
    assert found["methods"]["streamroute"]["auroc"] == 0.5
