from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.events import AnswerFinished, DeltaReceived, LegFailed, ProbeFinished
from streamroute.core.types import Leg, Sample
from streamroute.errors import DataFileError
from streamroute.evaluation.rows import Timing
from streamroute.evaluation.simulation.legs import RecordedLeg, RecordedRoute, answer_leg, whole_drafts
from streamroute.evaluation.simulation.timings import Pace, Timings
from tests.evaluation.simulation.recorded import TIMINGS, route, row


def said(leg: RecordedLeg) -> list[tuple[float, str]]:
    """The texts of a leg's deltas with their times."""
    return [(at, event.delta.text) for at, event in leg.events if isinstance(event, DeltaReceived)]


def test_an_answer_is_heard_at_its_first_token_its_sentence_ends_and_its_end() -> None:
    leg = answer_leg(0, "It is so. And not", Timing(1.0, 2.6, 17))  # a character each .1 s
    assert said(leg) == [(1.0, "I"), (pytest.approx(1.8), "t is so."), (2.6, " And not")]
    assert leg.events[-1] == (2.6, AnswerFinished(Leg(0)))


def test_a_run_of_sentence_ends_is_one() -> None:
    assert [text for _, text in said(answer_leg(0, "No... Yes!\n", Timing(0, 1, 11)))] == ["N", "o...", " Yes!\n"]


def test_recorded_steps_say_when_a_sentence_was_there() -> None:
    steps = [(0.5, 3), (0.9, 10), (4.0, 20)]
    leg = answer_leg(0, "It is so. And not it.", Timing(0.5, 5.0, 6, steps))
    assert said(leg) == [(0.5, "It "), (0.9, "is so."), (5.0, " And not it.")]


def test_an_empty_answer_only_ends() -> None:
    assert answer_leg(0, "", Timing(0.2, 0.3)).events == ((0.3, AnswerFinished(Leg(0))),)


def test_tokens_come_evenly_between_what_is_recorded() -> None:
    leg = answer_leg(0, "x" * 40, Timing(1.0, 2.0, 11))
    assert [leg.tokens_by(at) for at in (0.0, 0.99, 1.0, 1.1, 1.55, 2.0, 9.0)] == [0, 0, 1, 2, 6, 11, 11]
    stated = answer_leg(0, "x" * 400, Pace(first=0.35, rate=80).timing(100))
    assert [stated.tokens_by(0.35 + n / 80) for n in range(100)] == list(range(1, 101))
    bursts = answer_leg(0, "x" * 40, Timing(1.0, 2.0, 10, [(1.5, 36)]))
    assert [bursts.tokens_by(at) for at in (1.0, 1.5, 1.75)] == [1, 9, 9]


def test_log_probabilities_travel_with_the_text_that_they_are_of() -> None:
    leg = answer_leg(0, "ab. cd", Timing(0.0, 1.0, 3), logprobs=[-0.1, -0.2, -0.3])
    found = [event.delta.logprobs for _, event in leg.events if isinstance(event, DeltaReceived)]
    assert [[token.logprob for token in part] for part in found] == [[-0.1], [], [-0.2, -0.3]]
    assert "".join(token.token for part in found for token in part) == "ab. cd"


@given(st.text("ab .!\n", max_size=60), st.integers(0, 30), st.floats(0, 5), st.floats(0, 5))
def test_the_pieces_of_an_answer_are_its_text_in_order(text: str, tokens: int, first: float, rest: float) -> None:
    leg = answer_leg(0, text, Timing(first, first + rest, tokens))
    pieces = said(leg)
    assert "".join(piece for _, piece in pieces) == text
    assert all(piece for _, piece in pieces)
    times = [at for at, _ in leg.events]
    assert times == sorted(times)
    assert not pieces or pieces[0][0] == first
    assert leg.end == first + rest


def test_stated_timings_stand_in_where_none_are_recorded() -> None:
    timings = Timings(cheap=Pace(first=1, rate=1), large=Pace(first=2, rate=1), probes=Pace(first=3, rate=1))
    found = RecordedRoute.of(row("x" * 12, "y" * 8, samples=["z" * 4], sample_timings=None), timings)
    cheap, large = found.tiers
    assert (cheap.answer.end, large.answer.end, cheap.probes[0].end) == (3, 3, 3)
    assert (cheap.answer.tokens, large.answer.tokens, cheap.probes[0].tokens) == (3, 2, 1)
    assert cheap.answer.prompt_tokens == large.answer.prompt_tokens == cheap.probes[0].prompt_tokens == 5


def test_a_recorded_timing_goes_before_a_stated_one() -> None:
    found = RecordedRoute.of(row(timing=Timing(5.0, 6.0, 9), prompt_tokens=77), TIMINGS)
    assert (found.tiers[0].answer.events[0][0], found.tiers[0].answer.end) == (5.0, 6.0)
    assert (found.tiers[0].answer.tokens, found.tiers[0].answer.prompt_tokens) == (9, 77)
    assert [probe.end for probe in found.tiers[0].probes] == [0.4, pytest.approx(0.6)]


def test_a_probe_without_a_timing_ends_at_the_limit_and_says_so() -> None:
    timings = Timings(cheap=Pace(first=1, rate=2), probe_tokens=3)
    long, short = RecordedRoute.of(row(samples=["x" * 40, "y"], sample_timings=None), timings).tiers[0].probes
    assert long.events == ((2.0, ProbeFinished(Leg(0, 0), Sample("x" * 12, "length"))),)
    assert short.events == ((1.0, ProbeFinished(Leg(0, 1), Sample("y", "stop"))),)


def test_the_mean_log_probability_of_a_sample_is_the_samples() -> None:
    probes = route(sample_logprobs=[-0.5, -0.7]).tiers[0].probes
    assert [
        event.sample.mean_logprob for probe in probes for _, event in probe.events if isinstance(event, ProbeFinished)
    ] == [-0.5, -0.7]


@pytest.mark.parametrize(
    ("cheap", "complaint"),
    [
        ({"timing": Timing(0.0, 1.0, 3, [(0.5, 99)])}, "beyond the end"),
        ({"timing": Timing(0.0, 1.0, 3, [(1.5, 3)])}, "beyond the end"),
        ({"sample_timings": [Timing(0, 1), Timing(0, 1, 2, [(0.1, 999)])]}, r"sample_timings\[1\]: step"),
    ],
)
def test_a_timing_that_cannot_be_is_named_with_its_row(cheap: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DataFileError, match=f"row r1: .*{complaint}"):
        route(**cheap)


def test_a_leg_without_a_record_fails_at_once() -> None:
    found = route(large=None)
    for leg in (Leg(1), Leg(0, 2), Leg(1, 0)):
        ((at, event),) = found.leg(leg).events
        assert at == 0
        assert isinstance(event, LegFailed)
        assert (event.leg, str(event.error)) == (leg, f"{leg} is not recorded")


def test_a_whole_draft_is_heard_at_its_end_and_costs_the_same() -> None:
    before = route()
    after = whole_drafts(before)
    assert {at for at, _ in after.tiers[0].answer.events} == {before.tiers[0].answer.end}
    assert [event for _, event in after.tiers[0].answer.events] == [e for _, e in before.tiers[0].answer.events]
    assert after.tiers[0].answer.tokens == before.tiers[0].answer.tokens
    assert after.tiers[1] is before.tiers[1]
    assert after.evidence is before.evidence
