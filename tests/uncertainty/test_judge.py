import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamroute.core.types import Confidence, Evidence, Sample, TokenLogprob
from streamroute.errors import ScorerError
from streamroute.uncertainty.base import EntailmentModel, Pair, Relation, Relations, Scorer
from streamroute.uncertainty.clustering import Rule
from streamroute.uncertainty.combine import ScoreOf, no_label_score
from streamroute.uncertainty.fitted import FEATURES, Logistic
from streamroute.uncertainty.judge import SemanticEntropy
from streamroute.uncertainty.measures.entropies import discrete_entropy
from streamroute.uncertainty.measures.posterior import posterior_entropy
from tests.uncertainty.meanings import Meanings

REFUSES = "I can't help with that."
UNKNOWING = "I don't know."


def fitted(weights: Sequence[float]) -> Logistic:
    return Logistic(-2.0, dict(zip(FEATURES, weights, strict=True)), dict.fromkeys(FEATURES, 0.5))


async def judged(
    answer: str, *samples: str, finished: bool = True, expected: int | None = None, question: str = "",
    sampled: bool = False, model: EntailmentModel | None = None, finish_reason: str = "stop",
) -> Evidence:  # fmt: skip
    scorer: Scorer = SemanticEntropy(model or Meanings(), sampled_answer=sampled)
    return await scorer.session(question).evaluate(
        answer=answer,
        answer_finished=finished,
        samples=[Sample(text, finish_reason) for text in samples],
        expected=len(samples) if expected is None else expected,
    )


async def test_agreement_scores_low_and_says_who_agreed() -> None:
    found = await judged("red fox", "red hen", "red ox", "red fox", "blue hen", "red cat")
    assert found.answer_cluster == 0
    assert found.assignment == (0, 0, 0, 1, 0)
    assert found.sizes == (5, 1)
    assert found.agreement == 0.8
    assert found.score < 0.4
    assert (found.samples, found.expected, found.refusals, found.note) == (5, 5, 0, "")
    assert found.nli_pairs == len({"red hen", "red ox", "blue hen", "red cat"})
    assert found.seconds >= 0


async def test_identical_answers_need_no_model_and_score_least() -> None:
    found = await judged("Red fox.", "red fox", "**Red fox**", "The red fox")
    assert found.nli_pairs == 0
    assert found.score <= 0.05


async def test_a_lonely_answer_scores_high_even_where_entropy_is_low() -> None:
    found = await judged("blue hen", "red fox", "red ox", "red hen", "red cat", "red dog")
    assert found.entropy == 0
    assert found.score >= 0.7


async def test_the_entropy_counts_the_answer_only_when_it_was_sampled() -> None:
    texts = ("red fox", "red hen", "blue ox")
    greedy, sampled = await judged("blue hen", *texts), await judged("blue hen", *texts, sampled=True)
    assert greedy.entropy == discrete_entropy((2, 1))
    assert greedy.entropy_mean == posterior_entropy((2, 1))
    assert sampled.entropy == discrete_entropy((2, 2))
    assert greedy.sizes == sampled.sizes == (2, 2)


@pytest.mark.parametrize("answer", ["", "red", "Sure!", "I'm sorry, but I have no access to real-time data."])
async def test_an_answer_without_a_finished_claim_is_not_judged(answer: str) -> None:
    found = await judged(answer, "red fox", "red hen", finished=False, expected=5)
    assert not found.answer_judged
    assert found.agreement is None
    assert found.low <= found.score <= found.high


async def test_an_answer_is_judged_by_its_first_finished_sentence_and_again_at_its_end() -> None:
    session = SemanticEntropy(Meanings()).session("")
    samples = [Sample("red hen"), Sample("blue ox")]
    early = await session.evaluate(answer="red fox. It", answer_finished=False, samples=samples, expected=2)
    late = await session.evaluate(answer="red fox. It", answer_finished=True, samples=samples, expected=2)
    assert early.answer_judged
    assert late.agreement == 0.5


async def test_unanimous_policy_refusals_are_never_escalated() -> None:
    found = await judged(REFUSES, "I'm sorry, I can't assist with that.", REFUSES, "I cannot fulfill this request.")
    assert (found.score, found.low, found.high) == (0.0, 0.0, 0.0)
    assert (found.note, found.refusals, found.nli_pairs) == ("refusal", 3, 0)


async def test_unanimous_ignorance_is_escalated() -> None:
    found = await judged(UNKNOWING, "I'm not sure.", "I do not know the answer.")
    assert found.score > 0.9
    assert found.note == "ignorance"


async def test_a_refusal_that_half_of_the_probes_do_not_share_is_a_disagreement() -> None:
    found = await judged(REFUSES, "red fox", "red hen", REFUSES, REFUSES)
    assert found.score >= 0.7
    assert found.note == ""


async def test_an_empty_finished_answer_agrees_with_nothing() -> None:
    found = await judged("", "red fox", "red hen", "red ox")
    assert found.agreement == 0.0
    assert found.score >= 0.7


async def test_the_unfinished_end_of_a_truncated_sample_is_dropped() -> None:
    found = await judged("It is a red fox.", "It is a red fox. But some would say it is bl", finish_reason="length")
    assert found.agreement == 1.0
    assert found.nli_pairs == 0


async def test_no_samples_give_no_certainty() -> None:
    found = await judged("red fox", expected=5)
    assert found.low < 0.2
    assert found.high > 0.8
    nothing = await judged("red fox", expected=0)
    assert nothing.low == nothing.score == nothing.high


@pytest.mark.parametrize("settings", [{"theta": 0.0}, {"theta": 1.0}, {"most_probes": 0}, {"rule": "loose"}])
def test_wrong_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"theta|most_probes|loose"):
        SemanticEntropy(Meanings(), **settings)  # type: ignore[arg-type]


async def test_the_rule_decides_what_agrees() -> None:
    class Neutral:
        async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
            return [Relations(Relation(0.3, 0.4, 0.3), Relation(0.3, 0.4, 0.3))] * len(pairs)

    for rule, agreement in ((Rule.NO_CONTRADICTION, 1.0), (Rule.PROBABILITY, 0.0)):
        session = SemanticEntropy(Neutral(), rule=rule).session("")
        found = await session.evaluate(answer="one cat", answer_finished=True, samples=[Sample("some dog")], expected=1)
        assert found.agreement == agreement


async def test_a_failing_model_is_an_error_of_the_scorer() -> None:
    class Broken:
        async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
            raise ScorerError("out of order")

    with pytest.raises(ScorerError, match="out of order"):
        await judged("red fox", "blue hen", model=Broken())


@pytest.mark.parametrize("deadline", [7.5, None])
async def test_the_model_is_told_until_when_it_is_waited_for(deadline: float | None) -> None:
    told: list[tuple[bool, float | None]] = []

    class Urgent(Arbitrary):
        async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
            told.extend((pair.context == "Which?", deadline) for pair in pairs)
            return await super().relations(pairs)

    answer, sample = ("It is tall and red. " * 9, "It was small and blue. " * 9)
    session = SemanticEntropy(Urgent(1)).session("Which?", deadline=deadline)
    await session.evaluate(answer=answer, answer_finished=True, samples=[Sample(sample)], expected=1)
    assert set(told) == {(True, deadline), (False, deadline)}  # of claims, and of the sentences of long answers


TEXTS = [f"{colour} {animal}" for colour in ("red", "blue", "green", "pink") for animal in ("fox", "hen")]
SPEECH = st.sampled_from([*TEXTS, REFUSES, UNKNOWING, "I can't assist with that.", "", "Red fox."])


@settings(max_examples=300, deadline=None)
@given(
    answer=SPEECH,
    samples=st.lists(SPEECH, min_size=1, max_size=6),
    shown_after=st.integers(0, 6),
    sampled=st.booleans(),
    neutral=st.sets(st.sampled_from(["red", "blue", "green", "pink"])),
    score=st.just(no_label_score) | st.lists(st.floats(0, 3), min_size=12, max_size=12).map(fitted),
    surprise=st.none() | st.floats(-3, 0),
)
async def test_what_is_certified_early_is_what_all_probes_say(  # noqa: PLR0917 (drawn by name)
    answer: str, samples: list[str], shown_after: int, sampled: bool, neutral: set[str], score: ScoreOf,
    surprise: float | None,
) -> None:  # fmt: skip
    model = Meanings(sorted(neutral))
    scorer = SemanticEntropy(model, sampled_answer=sampled, score=score, logprobs=surprise is not None)
    told = None if surprise is None else Confidence(TokenLogprob("a", surprise), surprise, surprise, 1)
    session = scorer.session("")
    path = []
    for n in range(len(samples) + 1):
        finished = n >= min(shown_after, len(samples))
        found = await session.evaluate(
            answer=answer if finished else "",
            answer_finished=finished,
            samples=[Sample(text) for text in samples[:n]],
            expected=len(samples),
            confidence=told if finished else None,
        )
        path.append(found)
    final = path[-1]
    assert final.low == final.score == final.high
    for found in path:
        assert found.low <= found.score <= found.high
        # Strictly: a limit between a bound and the final score would be decided wrongly.
        assert found.low <= final.score <= found.high
    at_once = await scorer.session("").evaluate(
        answer=answer,
        answer_finished=True,
        samples=[Sample(text) for text in samples],
        expected=len(samples),
        confidence=told,
    )
    assert at_once.score == final.score
    assert at_once.assignment == final.assignment


class Arbitrary:
    """Relations without any law: each pair has some probabilities, always the same."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    async def relations(self, pairs: Sequence[Pair], *, deadline: float | None = None) -> Sequence[Relations]:
        return [Relations(self._relation(pair), self._relation(pair.swapped())) for pair in pairs]

    def _relation(self, pair: Pair) -> Relation:
        draw = random.Random(f"{self.seed} {pair}")
        cuts = sorted((draw.random(), draw.random()))
        return Relation(cuts[0], cuts[1] - cuts[0], 1 - cuts[1])


@settings(max_examples=200, deadline=None)
@given(
    answer=SPEECH,
    samples=st.lists(SPEECH, min_size=1, max_size=6),
    seed=st.integers(0, 999),
    rule=st.sampled_from(list(Rule)),
)
async def test_beside_a_judged_answer_certificates_hold_for_any_relation(
    answer: str, samples: list[str], seed: int, rule: Rule
) -> None:
    session = SemanticEntropy(Arbitrary(seed), rule=rule).session("")
    path = [
        await session.evaluate(
            answer=answer,
            answer_finished=True,
            samples=[Sample(text) for text in samples[:n]],
            expected=len(samples),
        )
        for n in range(len(samples) + 1)
    ]
    for found in path:
        assert found.low <= found.score <= found.high
        assert found.low <= path[-1].score <= found.high
