from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from streamroute.core.types import Sample
from streamroute.errors import ScorerError
from streamroute.evaluation.judged import judge_rows, with_samples
from streamroute.evaluation.rows import LEAST_LOGPROB, CheapLeg, RoutingRow, Timing
from streamroute.evaluation.sampled import SampledRow
from streamroute.evaluation.scoring import Memo, score_row
from streamroute.uncertainty.base import Pair, Relations
from streamroute.uncertainty.judge import SemanticEntropy
from tests.evaluation.judges import CONTRADICTS, Written
from tests.evaluation.routes import ROWS, row

JUDGE = {("Oslo", "Rome"): CONTRADICTS, ("Rome", "Oslo"): CONTRADICTS}


def test_the_first_samples_are_kept_with_all_that_is_known_of_them() -> None:
    took = [Timing(0, i) for i in range(3)]
    leg = CheapLeg("a", ["b", "c", "d"], sample_timings=took, sample_logprobs=[-1, -2, -3], logprobs=[-4])
    cut = with_samples(RoutingRow("1", "Q", leg), 2)
    assert cut.cheap == CheapLeg("a", ["b", "c"], sample_timings=took[:2], sample_logprobs=[-1, -2], logprobs=[-4])
    assert with_samples(ROWS[0], 9) == ROWS[0]
    assert with_samples(ROWS[0], 0).cheap.samples == []


def test_every_row_is_judged_as_the_router_would_and_measured_as_score_does() -> None:
    judgement = judge_rows(Written(JUDGE), ROWS)

    async def alone() -> None:
        for found, each in zip(judgement.rows, ROWS, strict=True):
            memo = Memo(_Async(Written(JUDGE)))
            evidence = (
                await SemanticEntropy(memo)
                .session(each.question)
                .evaluate(
                    answer=each.cheap.answer,
                    answer_finished=True,
                    samples=[Sample(text) for text in each.cheap.samples],
                    expected=3,
                )
            )
            assert (found.evidence.score, found.evidence.assignment) == (evidence.score, evidence.assignment)
            assert found.evidence.features == evidence.features
            row = SampledRow(each.question, each.cheap.samples, each.cheap.answer)
            assert found.measures == (await score_row(_Async(Written(JUDGE)), row)).measures

    asyncio.run(alone())


class _Async:
    def __init__(self, judge: Written) -> None:
        self.judge = judge

    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        return self.judge.relations(pairs)


def test_pairs_of_all_rows_are_asked_together_the_longest_first_and_once() -> None:
    model = Written()
    told: list[tuple[int, int]] = []
    judgement = judge_rows(model, ROWS, progress=lambda done, total: told.append((done, total)))
    assert len(model.calls[0]) == told[0][0]
    lengths = [sum(map(len, pair)) for pair in model.calls[0]]
    assert lengths == sorted(lengths, reverse=True)
    asked = [pair for call in model.calls for pair in call]
    assert len({frozenset((pair, pair.swapped())) for pair in asked}) == len(asked) == judgement.passes
    assert {pair.context for pair in asked} <= {each.question for each in ROWS}


def test_costs_are_those_of_distinct_pairs() -> None:
    same, different = judge_rows(Written(), [row("Q", "a", "a", "a"), row("Q", "red fox", "blue hen", "old cat")]).rows
    assert (same.pairs, same.answer_pairs, same.evidence.nli_pairs) == (1, 1, 0)
    assert (different.pairs, different.answer_pairs) == (3, 2)


def test_without_samples_the_answer_alone_is_measured() -> None:
    (alone,) = judge_rows(Written(), [row("Q", "a")]).rows
    assert all(value is None for value in alone.measures.values())
    assert (alone.evidence.samples, alone.pairs, alone.answer_pairs) == (0, 0, 0)
    leg = CheapLeg("a", [], correct=True, logprobs=[-0.5, -1.5])
    (alone,) = judge_rows(Written(), [RoutingRow("", "Q", leg)]).rows
    known = {name: value for name, value in alone.measures.items() if value is not None}
    assert known == {"mean-token-surprise": 1.0, "sequence-surprise": 2.0, "least-token-surprise": 1.5}
    assert alone.evidence.features is not None
    assert alone.evidence.features.doubt is not None


def test_what_the_model_says_of_its_answer_is_measured_with_samples_and_without() -> None:
    leg = CheapLeg("a", [], correct=True, first_top_logprobs=[-1.0, -1.0], p_true=LEAST_LOGPROB)
    (alone,) = judge_rows(Written(), [RoutingRow("", "Q", leg)]).rows
    known = {name: value for name, value in alone.measures.items() if value is not None}
    assert known == {"first-token-entropy": pytest.approx(1.0), "p-true": 1.0}
    leg = CheapLeg("a", ["b"], correct=True, first_top_logprobs=[-1.0, LEAST_LOGPROB], p_true=0.0, logprobs=[-0.5, -1])
    (found,) = judge_rows(Written(), [RoutingRow("", "Q", leg)]).rows
    assert found.measures["p-true"] == 0
    assert found.measures["first-token-entropy"] == pytest.approx(0.0)
    assert found.measures["bsdetector"] is not None
    assert (found.measures["cocoa-msp"], found.measures["cocoa-ppl"]) == pytest.approx((1.5 * 0.95, 0.75 * 0.95))


def test_log_probabilities_of_samples_bring_the_measures_that_weigh_them() -> None:
    leg = CheapLeg("a", ["b", "c"], correct=True, logprobs=[-0.5, -1.5], sample_logprobs=[-1, -2])
    (found,) = judge_rows(Written(), [RoutingRow("", "Q", leg)]).rows
    assert found.measures["length-normalised-entropy"] == 1.5
    assert found.measures["rao-se"] is not None
    assert found.measures["mean-token-surprise"] == 1.0


def test_what_the_model_raises_is_raised() -> None:
    class Broken:
        def relations(self, pairs: object) -> list[Relations]:
            raise ScorerError("broke")

    with pytest.raises(ScorerError, match="broke"):
        judge_rows(Broken(), ROWS)
