import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import msgspec
import pytest

from streamroute.core.types import Delta, TokenLogprob, Usage
from streamroute.errors import UpstreamError
from streamroute.evaluation.recording import Asked, record_row
from streamroute.evaluation.rows import RoutingRow
from streamroute.routing.tiers import ProbePlan, Tier
from streamroute.testing import CallState, Script, ScriptedUpstream, run_virtual
from streamroute.upstreams.base import ChatRequest


class Spoken:
    """Says "Yes." in two tokens with these log-probabilities."""

    name = model = "spoken"
    supports_n = False

    def __init__(self, *logprobs: float) -> None:
        self._logprobs = logprobs
        self.requests: list[ChatRequest] = []

    async def aclose(self) -> None:
        """Nothing to close."""

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncGenerator[AsyncIterator[Delta]]:
        self.requests.append(request)
        yield self._deltas()

    async def _deltas(self) -> AsyncGenerator[Delta]:
        for text, logprob in zip(("Yes", "."), self._logprobs, strict=True):
            await anyio.sleep(1)
            yield Delta(text, logprobs=(TokenLogprob(text, logprob, ((text, logprob), ("No", -2.0))),))
        yield Delta(finish_reason="stop", usage=Usage(prompt_tokens=9, completion_tokens=2))


def asked(
    cheap: ScriptedUpstream | Spoken,
    large: ScriptedUpstream | Spoken,
    *,
    samples: int = 3,
    logprobs: bool = True,
    votes: int = 0,
) -> Asked:
    plan = ProbePlan(temperature=0.7, max_tokens=40)
    tiers = Tier(upstream=cheap, probes=plan), Tier(upstream=large)
    params = {"temperature": 0.0, "seed": 7}
    return Asked(cheap=tiers[0], large=tiers[1], samples=samples, params=params, logprobs=logprobs, votes=votes)


def recorded(asked: Asked) -> RoutingRow:
    async def main() -> RoutingRow:
        right = "Canberra".__eq__
        return await record_row(asked, "Which?", id="a", right=lambda text: bool(right(text)), gold=["Canberra"])

    return run_virtual(main)


def scripted(*, supports_n: bool = False) -> ScriptedUpstream:
    return ScriptedUpstream("Sydney, I think.", ["Perth", "Canberra", "Sydney it is"], supports_n=supports_n)


@pytest.mark.parametrize("supports_n", [False, True])
def test_samples_are_cut_where_the_route_would_cut_them(supports_n: bool) -> None:
    more = " It is old. It is large."
    said = [f"It is Perth.{more}", "I don't know.", f"Sure! It is Sydney.{more}"]
    cheap = ScriptedUpstream(f"It is Bern.{more}", said, supports_n=supports_n)
    plan = ProbePlan(until="claim")
    whole = asked(cheap, ScriptedUpstream("Canberra"))
    row = recorded(replace(whole, cheap=replace(whole.cheap, probes=plan)))
    assert row.cheap.answer == f"It is Bern.{more}"
    assert row.cheap.samples == ["It is Perth.", "I don't know.", "Sure! It is Sydney."]
    assert row.cheap.sample_timings is not None
    assert [timing.end for timing in row.cheap.sample_timings] == pytest.approx([0.14, 0.14, 0.16])
    assert cheap.running == 0


@pytest.mark.parametrize("supports_n", [False, True])
def test_a_row_has_both_answers_and_every_sample_in_turn(supports_n: bool) -> None:
    cheap = scripted(supports_n=supports_n)
    row = recorded(asked(cheap, ScriptedUpstream("Canberra", model="big")))
    assert (row.cheap.answer, row.cheap.correct) == ("Sydney, I think.", False)
    assert row.cheap.samples == ["Perth", "Canberra", "Sydney it is"]
    assert row.large is not None
    assert (row.large.answer, row.large.correct, row.large.model) == ("Canberra", True, "big")
    assert len(cheap.calls) == (2 if supports_n else 4)


@pytest.mark.parametrize("supports_n", [False, True])
def test_times_count_from_the_start_of_each_leg(supports_n: bool) -> None:
    row = recorded(asked(scripted(supports_n=supports_n), ScriptedUpstream(Script.of("Canberra", first=0.5))))
    timing = row.cheap.timing
    assert timing is not None
    assert (timing.first, timing.end) == (0.1, 0.14)
    assert timing.steps == [(0.1, 7), (0.12, 9), (0.14, 16)]
    assert timing.tokens == 3
    assert row.cheap.sample_timings is not None
    assert [t.end for t in row.cheap.sample_timings] == [0.1, 0.1, 0.14]
    assert row.large is not None
    assert row.large.timing is not None
    assert row.large.timing.first == 0.5


def test_the_three_parts_of_a_row_never_run_at_once() -> None:
    cheap, large = scripted(), ScriptedUpstream()
    recorded(asked(cheap, large))
    answer, *probes = cheap.calls
    assert answer.ended is not None
    assert all(probe.started >= answer.ended for probe in probes)
    assert {probe.started for probe in probes} == {answer.ended}
    assert all(probe.ended is not None and large.calls[0].started >= probe.ended for probe in probes)


def test_answers_are_greedy_and_probes_are_asked_as_the_plan_says() -> None:
    cheap = scripted()
    recorded(asked(cheap, ScriptedUpstream()))
    answer, *probes = (call.request for call in cheap.calls)
    assert (answer.params["temperature"], answer.probe) == (0.0, False)
    assert all((p.params["temperature"], p.params["max_tokens"], p.probe) == (0.7, 40, True) for p in probes)
    assert [p.params["seed"] for p in probes] == [8, 9, 10]


def test_log_probabilities_are_those_of_the_answer_and_the_mean_of_each_sample() -> None:
    row = recorded(asked(Spoken(-0.5, -1.5), ScriptedUpstream(), samples=2))
    assert row.cheap.logprobs == [-0.5, -1.5]
    assert row.cheap.sample_logprobs == [-1.0, -1.0]
    assert row.cheap.prompt_tokens == 9


def test_log_probabilities_that_no_row_may_hold_are_moved_to_the_next_that_it_may() -> None:
    row = recorded(asked(Spoken(1e-7, -math.inf), ScriptedUpstream()))
    assert row.cheap.logprobs == [0.0, -1e6]


def test_log_probabilities_are_left_out_where_none_are_given_and_not_asked_for_where_not_wanted() -> None:
    row = recorded(asked(scripted(), ScriptedUpstream()))
    assert row.cheap.logprobs is None
    assert row.cheap.sample_logprobs is None
    for wanted in (True, False):
        model = Spoken(-0.5, -0.5)
        recorded(asked(model, ScriptedUpstream(), logprobs=wanted))
        assert all(("logprobs" in request.params) is wanted for request in model.requests)


def test_the_likeliest_first_tokens_of_the_answer_are_kept_in_order() -> None:
    assert recorded(asked(Spoken(-2.5, -0.5), ScriptedUpstream())).cheap.first_top_logprobs == [-2.0, -2.5]


@pytest.mark.parametrize("supports_n", [False, True])
def test_the_cheap_model_is_asked_so_often_whether_its_answer_is_true(supports_n: bool) -> None:
    cheap = ScriptedUpstream("Sydney.", ["Perth"] * 3 + ["A", "A", "B", "A"], supports_n=supports_n)
    row = recorded(asked(cheap, ScriptedUpstream(), votes=4))
    assert row.cheap.samples == ["Perth"] * 3
    assert row.cheap.self_verified == 0.75
    assert row.cheap.p_true is None
    assert "Sydney." in cheap.calls[-1].request.messages[-1]["content"]


def test_an_answer_without_a_word_is_recorded_as_one() -> None:
    row = recorded(asked(ScriptedUpstream(Script([(0.3, "")])), ScriptedUpstream()))
    assert row.cheap.answer == ""
    assert row.cheap.timing is not None
    assert (row.cheap.timing.first, row.cheap.timing.steps) == (0.3, [])


def test_a_failed_sample_ends_the_others_and_the_row() -> None:
    cheap = ScriptedUpstream("Sydney", [Script.of("Perth", first=9.0), Script.failing(after=0.2)])
    large = ScriptedUpstream()
    with pytest.raises(UpstreamError, match="scripted failure"):
        recorded(asked(cheap, large, samples=2))
    assert [call.state for call in cheap.calls] == [CallState.FINISHED, CallState.CLOSED, CallState.FAILED]
    assert large.calls == []


def test_a_row_reads_back_as_it_was() -> None:
    row = recorded(asked(Spoken(-0.5, -1.5), ScriptedUpstream("Canberra")))
    line = msgspec.json.encode(row)
    assert msgspec.json.decode(line, type=RoutingRow) == row
    assert b"null" not in line
