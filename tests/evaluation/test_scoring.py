from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest

from streamroute.core.types import Sample
from streamroute.errors import ScorerError
from streamroute.evaluation.sampled import SampledRow
from streamroute.evaluation.scoring import Memo, score_row
from streamroute.uncertainty.base import Pair, Relation, Relations
from streamroute.uncertainty.clustering import Rule
from streamroute.uncertainty.judge import SemanticEntropy
from streamroute.uncertainty.measures.families import Family, family
from tests.uncertainty.meanings import CONTRADICTS, ENTAILS, NEUTRAL, Meanings, Scripted
from tests.uncertainty.measures.test_table import (
    NAMES,
    NEEDS_MEAN_OF_ANSWER,
    NEEDS_MEANS,
    NEEDS_RELATIONS,
    NEEDS_SUM_OF_ANSWER,
    NEEDS_SUMS,
    NEEDS_TOKENS,
)

ROW = SampledRow("Which animal?", ["red hen", "blue fox", "red dog"], "red fox")


async def test_texts_that_mean_the_same_share_a_cluster() -> None:
    scored = await score_row(Meanings(), ROW)
    assert scored.texts == ("red fox", "red hen", "blue fox", "red dog")
    assert scored.assignment == (0, 0, 1, 0)
    assert scored.clusters == [[0, 1, 3], [2]]
    assert scored.measures["num-sets"] == 2
    assert scored.measures["discrete-se"] == pytest.approx(math.log(3) - 2 / 3 * math.log(2))


@pytest.mark.parametrize("matrix", [True, False])
async def test_the_score_is_that_of_the_router(matrix: bool) -> None:
    session = SemanticEntropy(Meanings()).session(ROW.question)
    evidence = await session.evaluate(
        answer="red fox", answer_finished=True, samples=[Sample(text) for text in ROW.samples], expected=3
    )
    assert (await score_row(Meanings(), ROW, matrix=matrix)).score == evidence.score


async def test_every_pair_costs_one_pass_and_clustering_none_more() -> None:
    model = Meanings()
    scored = await score_row(model, ROW)
    assert scored.nli_pairs == len(model.asked) == 6
    assert {pair.context for pair in model.asked} == {"Which animal?"}
    model = Meanings()
    scored = await score_row(model, SampledRow("", ["red fox"] * 5 + ["blue fox"]))
    assert scored.nli_pairs == len(model.asked) == 2


async def test_the_row_of_a_matrix_is_the_premise() -> None:
    # The shorter claim is asked about first, which must not show.
    for long_first in (True, False):
        texts = ["a rather long fox", "fox"] if long_first else ["fox", "a rather long fox"]
        script = {(texts[0], texts[1]): ENTAILS, (texts[1], texts[0]): CONTRADICTS}
        scored = await score_row(Scripted(script), SampledRow("", texts))
        assert scored.entailment is not None
        assert scored.contradiction is not None
        assert scored.entailment.tolist() == [[1.0, ENTAILS.entailment], [CONTRADICTS.entailment, 1.0]]
        assert scored.contradiction.tolist() == [[0.0, ENTAILS.contradiction], [CONTRADICTS.contradiction, 0.0]]


async def test_rule_and_threshold_decide_what_is_equivalent() -> None:
    one_way = Scripted({("large dog", "small cat"): Relation(0.9, 0.1, 0.0), ("small cat", "large dog"): NEUTRAL})
    row = SampledRow("", ["large dog", "small cat"])
    for rule, theta, clusters in ((Rule.STRICT, 0.5, 2), (Rule.EITHER, 0.5, 1), ("either", 0.95, 2)):
        assert len((await score_row(one_way, row, rule=rule, theta=theta)).clusters) == clusters


async def test_without_a_matrix_only_what_needs_it_is_missing() -> None:
    model = Meanings()
    scored = await score_row(model, ROW, matrix=False)
    assert scored.entailment is scored.contradiction is None
    assert scored.nli_pairs == len(model.asked) < 6
    known = {name for name, value in scored.measures.items() if value is not None}
    of_answer = NEEDS_TOKENS | NEEDS_MEAN_OF_ANSWER | NEEDS_SUM_OF_ANSWER | {"p-true", "first-token-entropy"}
    assert known == set(NAMES) - (NEEDS_RELATIONS | NEEDS_MEANS | NEEDS_SUMS | of_answer)


async def test_log_probabilities_bring_the_measures_that_need_them() -> None:
    row = SampledRow("", ["red hen", "blue fox"], "red fox", [-0.5, -1.0, -2.0], -0.1)
    measures = (await score_row(Meanings(), row)).measures
    missing = NEEDS_SUMS | NEEDS_SUM_OF_ANSWER | NEEDS_TOKENS | {"first-token-entropy"}
    assert {name for name, value in measures.items() if value is None} == missing
    assert measures["mean-token-surprise"] == 0.5
    assert measures["p-true"] == pytest.approx(1 - math.exp(-0.1))


async def test_without_an_answer_nothing_is_said_of_one() -> None:
    scored = await score_row(Meanings(), SampledRow("", ["red hen", "blue fox"], logprobs=[-1.0, -2.0]))
    assert not scored.answered
    assert all(value is None for name, value in scored.measures.items() if family(name).of_answer)
    assert any(value is not None for name, value in scored.measures.items() if family(name) is Family.GRAPH)
    assert scored.measures["num-sets"] == 2


@pytest.mark.parametrize("answer", [None, "red fox", ""])
async def test_no_samples_are_no_disagreement(answer: str | None) -> None:
    model = Meanings()
    scored = await score_row(model, SampledRow("", [], answer))
    assert scored.clusters == ([] if answer is None else [[0]])
    assert (scored.measures["discrete-se"], scored.measures["discrete-se-normalised"]) == (0, 0)
    assert 0 <= scored.score <= 1
    assert model.asked == []
    json.dumps(scored.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    "texts", [["!!!", "...", "?"], ["", " ", "\n"], ["\ud800", "\udfff x"], ["\x00", "\x1b[31m"], ["-1e6"] * 2]
)
async def test_texts_without_words_are_scored_too(texts: list[str]) -> None:
    scored = await score_row(Scripted({}), SampledRow("?", texts, texts[0], [-1e6] * (len(texts) + 1)))
    assert sorted(i for members in scored.clusters for i in members) == list(range(len(texts) + 1))
    json.dumps(scored.as_dict(), allow_nan=False).encode("ascii")


async def test_progress_is_told_in_chunks_of_what_the_matrix_needs() -> None:
    told: list[tuple[int, int]] = []
    row = SampledRow("", [f"word{i} fox" for i in range(13)])
    await score_row(Meanings(), row, progress=lambda done, total: told.append((done, total)))
    assert told == [(64, 78), (78, 78)]


async def test_a_dictionary_has_plain_values_under_all_names() -> None:
    scored = await score_row(Meanings(), ROW)
    found = json.loads(json.dumps(scored.as_dict(), allow_nan=False))
    assert list(found) == [
        "question", "texts", "clusters", "assignment", "score", "measures", "entailment", "contradiction",
        "nli_pairs", "seconds",
    ]  # fmt: skip
    assert list(found["measures"]) == NAMES
    assert np.shape(found["entailment"]) == np.shape(found["contradiction"]) == (4, 4)
    assert found["seconds"] > 0


async def test_a_memo_asks_in_one_order_once() -> None:
    model = Scripted({("a", "b"): ENTAILS, ("b", "a"): CONTRADICTS})
    memo = Memo(model)
    pair = Pair("", "a", "b")
    found = await memo.relations([pair, pair.swapped(), pair])
    assert found == [(ENTAILS, CONTRADICTS), (CONTRADICTS, ENTAILS), (ENTAILS, CONTRADICTS)]
    assert list(await memo.relations([pair.swapped()])) == [(CONTRADICTS, ENTAILS)]
    assert (memo.passes, model.asked) == (1, [pair])


async def test_what_the_model_raises_is_raised() -> None:
    class Broken(Meanings):
        async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
            raise ScorerError("broke")

    with pytest.raises(ScorerError, match="broke"):
        await score_row(Broken(), ROW)
