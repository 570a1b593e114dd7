"""Whole routes over scripted models, in virtual time: what the reader sees, and exactly when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from streamroute.core.actions import Action
from streamroute.core.events import DeltaReceived, Event
from streamroute.core.policy import Policy, Snapshot
from streamroute.core.types import Decision, Leg, Release, Usage, Verdict
from streamroute.errors import BadRequestError, ConfigError, RouteError, ScorerError, UpstreamError
from streamroute.routing.router import Price, ProbePlan, RoutedStream, Router, Tier
from streamroute.routing.stream import LegState, Route, TextDelta
from streamroute.testing import CallState, Script, ScriptedScorer, ScriptedUpstream, run_virtual
from tests.routing.support import AGREE, ASK, DIFFER, cheap, large, play, router, told


def test_agreeing_samples_keep_the_cheap_answer() -> None:
    small, big = cheap(probes=AGREE), large()
    events, route = play(router(small, big))
    assert told(events) == ["It", " is", " Rome.", "[cheap]"]
    assert (route.answer, route.tier_name, route.finish_reason) == ("It is Rome.", "cheap", "stop")
    assert route.verdict == Verdict(Decision.ACCEPT, "samples_agree")
    assert big.calls == []


def test_differing_samples_cancel_the_cheap_answer_and_stream_the_large_one() -> None:
    long_answer = "It is Rome. " + "More of it. " * 20
    small, big = cheap(long_answer, DIFFER), large()
    events, route = play(router(small, big))
    words = told(events)
    assert words[words.index("[retracted]") :] == ["[retracted]", "[large]", "It", " is", " Canberra."]
    assert (route.answer, route.retracted) == ("It is Canberra.", True)
    assert [call.state for call in small.calls] == [CallState.CLOSED] + [CallState.FINISHED] * 3


def test_hold_shows_only_what_is_kept() -> None:
    events, route = play(router(cheap(probes=DIFFER), large(), release=Release.HOLD))
    assert told(events) == ["[large]", "It", " is", " Canberra."]
    assert not route.retracted


def test_append_keeps_what_was_shown_and_marks_it() -> None:
    events, route = play(router(cheap(probes=DIFFER), large(), release=Release.APPEND))
    assert told(events) == ["It", " is", " Rome.", "[appended]", "[large]", "It", " is", " Canberra."]
    assert route.answer == "It is Canberra."


def test_a_release_mode_can_be_chosen_for_one_request() -> None:
    events, _ = play(router(cheap(probes=DIFFER), large()), release=Release.HOLD)
    assert "[retracted]" not in told(events)


def test_every_moment_is_exact() -> None:
    # The answer and the probes start together and end at .14; the judge takes .01, the large model's first token .1.
    _, route = play(router(cheap(probes=DIFFER), large()))
    moments = {"first_shown": 0.1, "decided": 0.16, "first_kept": 0.26, "finished": 0.3}
    assert route.timings.to_dict() == pytest.approx(moments)


def test_the_ledger_has_every_leg_with_its_end_and_its_price() -> None:
    slow = Script([(0.1, "It is Bern."), (9.0, "")])
    made = Router(
        [
            Tier(
                upstream=cheap(probes=["Oslo.", "Bern.", slow]),
                probes=ProbePlan(count=3),
                price=Price(prompt=1, completion=2),
            ),
            Tier(upstream=large(), price=Price(prompt=10, completion=20)),
        ],
        scorer=ScriptedScorer(),
    )
    _, route = play(made)
    states = {str(record.leg): record.state for record in route.legs}
    assert states == {
        "tier 0": LegState.FINISHED,
        "tier 0 probe 0": LegState.FINISHED,
        "tier 0 probe 1": LegState.FINISHED,
        "tier 0 probe 2": LegState.CANCELLED,
        "tier 1": LegState.FINISHED,
    }
    answer = route.leg(Leg(1))
    assert answer is not None
    assert (answer.prompt_tokens, answer.completion_tokens, answer.counted) == (10, 3, True)
    assert answer.cost == pytest.approx((10 * 10 + 3 * 20) / 1e6)
    cancelled = route.leg(Leg(0, 2))
    assert cancelled is not None
    assert not cancelled.counted
    assert cancelled.reason == "certain_to_disagree"
    assert route.cost == pytest.approx(sum(record.cost for record in route.legs))


def test_n_samples_can_come_from_one_request() -> None:
    small = cheap(probes=DIFFER, supports_n=True)
    _, route = play(router(small, large()))
    assert [call.request.n for call in small.calls] == [1, 3]
    samples = [route.leg(Leg(0, i)) for i in range(3)]
    assert [record.text for record in samples if record] == DIFFER
    prompts = [record.prompt_tokens for record in samples if record]
    assert prompts == [10, 0, 0], "a prompt computed once is charged once"


def test_one_request_for_n_samples_is_closed_when_none_of_them_is_needed() -> None:
    slow = Script([(0.1, "It is Oslo."), (9.0, "")])
    small = cheap(probes=["It is Bern.", "It is Riga.", slow], supports_n=True)
    _, route = play(router(small, large()))
    assert small.calls[1].state is CallState.CLOSED
    assert route.leg(Leg(0, 0)).state is LegState.FINISHED  # type: ignore[union-attr]


def test_probes_ask_the_same_question_with_their_own_settings() -> None:
    small = cheap(probes=AGREE)
    made = Router(
        [
            Tier(
                upstream=small,
                probes=ProbePlan(count=2, params={"top_p": 0.9}),
                params={"temperature": 0.0, "max_tokens": 300},
                system="Be brief.",
            ),
            Tier(upstream=large()),
        ],
        scorer=ScriptedScorer(),
    )
    play(made, params={"seed": 7, "max_tokens": 50, "logprobs": True})
    answer, *probes = [call.request for call in small.calls]
    assert answer.messages[0] == {"role": "system", "content": "Be brief."}
    assert answer.params == {"temperature": 0.0, "max_tokens": 50, "seed": 7, "logprobs": True}
    expected = {"temperature": 1.0, "max_tokens": 50, "top_p": 0.9}
    assert [dict(probe.params) for probe in probes] == [{**expected, "seed": 8}, {**expected, "seed": 9}]
    assert all(probe.probe for probe in probes)


def test_a_request_with_a_system_message_keeps_its_own() -> None:
    small = cheap()
    made = Router([Tier(upstream=small, system="Be brief.")])
    own = [{"role": "system", "content": "Be long."}, *ASK]

    async def main() -> None:
        async with made:
            await made.complete(own)

    run_virtual(main)
    assert list(small.calls[0].request.messages) == own


def test_complete_gives_the_same_answer_collected() -> None:
    async def main() -> tuple[str, Route]:
        async with router(cheap(probes=DIFFER), large()) as made:
            reply = await made.complete(ASK)
            return reply.text, reply.route

    text, route = run_virtual(main)
    assert text == "It is Canberra."
    assert route.timings.first_shown == route.timings.first_kept


def test_a_dead_cheap_model_is_not_the_readers_problem() -> None:
    _, route = play(router(cheap(Script.failing()), large()))
    assert route.answer == "It is Canberra."
    assert route.verdict is not None
    assert route.verdict.reason == "answer_failed"
    assert route.legs[0].error == "scripted: scripted failure"


def test_a_dead_large_model_leaves_a_finished_cheap_answer_standing() -> None:
    events, route = play(router(cheap(probes=DIFFER), large(Script.failing())))
    assert told(events)[-4:] == ["[cheap]", "It", " is", " Rome."]
    assert route.verdict == Verdict(Decision.ACCEPT, "escalation_failed")


def test_when_all_fail_one_error_names_every_leg() -> None:
    with pytest.raises(RouteError) as caught:
        play(router(cheap(Script.failing()), large(Script.failing())))
    assert [name for name, _ in caught.value.causes] == ["cheap", "large"]
    assert not caught.value.shown


def test_an_answer_that_breaks_off_after_the_verdict_says_so() -> None:
    broken = Script([(0.1, "It is"), (1.0, " Rome.")], error=UpstreamError("reset", upstream="cheap"))
    seen: list[str] = []

    async def main() -> None:
        made = router(cheap(broken, ["It is"] * 3), large(), policy=_AcceptAll())
        async with made, made.stream(ASK) as stream:
            async for event in stream:
                seen.extend(told([event]))

    with pytest.raises(RouteError, match="broke off") as caught:
        run_virtual(main)
    assert caught.value.shown
    assert seen == ["[cheap]", "It is", " Rome."]


class _AcceptAll(Policy):
    def __call__(self, snapshot: Snapshot) -> Verdict:
        return Verdict(Decision.ACCEPT, "always")


class _Broken(Policy):
    def __call__(self, snapshot: Snapshot) -> Verdict:
        raise ZeroDivisionError("in a user's policy")


def test_a_broken_policy_fails_the_route_cleanly() -> None:
    small = cheap(probes=AGREE)
    with pytest.raises(RouteError, match="in a user's policy"):
        play(router(small, large(), policy=_Broken()))
    assert small.running == 0


def test_a_model_that_ends_without_saying_so_has_failed() -> None:
    class Mute(ScriptedUpstream):
        async def _play(self, call: Any, scripts: Sequence[Script]) -> Any:
            for _ in ():
                yield _

    _, route = play(router(Mute(name="cheap"), large()))
    assert route.legs[0].error == "cheap: ended without a finish reason"


@pytest.mark.parametrize(
    ("verdict", "answer"), [(Decision.ACCEPT, "It is Rome."), (Decision.ESCALATE, "It is Canberra.")]
)
def test_a_broken_judge_never_fails_the_route(verdict: Decision, answer: str) -> None:
    scorer = ScriptedScorer(error=ScorerError("overloaded"))
    _, route = play(router(cheap(probes=AGREE), large(), scorer=scorer, on_uncertain=verdict))
    assert (route.answer, route.verdict and route.verdict.reason) == (answer, "scorer_failed")


@pytest.mark.parametrize("within", [0.5, None])
def test_the_judge_is_told_how_long_it_is_waited_for(within: float | None) -> None:
    told: list[float | None] = []

    class Scorer(ScriptedScorer):
        def session(self, question: str, *, deadline: float | None = None) -> ScriptedScorer:
            told.append(None if deadline is None else deadline - asyncio.get_running_loop().time())
            return self

    play(router(cheap(probes=AGREE), large(), scorer=Scorer(), decision_deadline=within))
    (left,) = told
    assert left is within is None or left == pytest.approx(0.5 - 0.14)  # the probes end at .14


def test_a_slow_judge_is_not_waited_for_beyond_the_deadline() -> None:
    _, route = play(router(cheap(probes=AGREE), large(), scorer=ScriptedScorer(delay=60.0), decision_deadline=0.5))
    assert route.timings.decided == pytest.approx(0.5)
    assert route.timings.finished == pytest.approx(0.5)


def test_a_hedge_saves_the_large_models_first_token() -> None:
    slow = [Script.of(text, first=0.5) for text in DIFFER]
    _, plain = play(router(cheap(probes=slow), large()))
    _, hedged = play(router(cheap(probes=slow), large(), hedge_after=0.2))
    assert plain.timings.first_kept == pytest.approx(0.66)
    assert hedged.timings.first_kept == pytest.approx(0.56)
    assert hedged.timings.decided == plain.timings.decided


def test_three_tiers_escalate_step_by_step() -> None:
    middle = ScriptedUpstream("It is Sydney.", ["A.", "B.", "C."], name="middle")
    events, route = play(router(cheap(probes=DIFFER), middle, large()))
    assert told(events) == [
        *("It", " is", " Rome.", "[retracted]"),
        *("It", " is", " Sydney.", "[retracted]"),
        *("[large]", "It", " is", " Canberra."),
    ]
    assert route.tier == 2


def test_without_judging_the_asked_tier_answers_at_once() -> None:
    small, big = cheap(), large()
    _, route = play(router(small, big), start_tier=1, judge=False)
    assert (route.answer, small.calls) == ("It is Canberra.", [])
    assert route.verdict == Verdict(Decision.ACCEPT, "unjudged")


def test_a_reader_who_falls_behind_pauses_the_model_and_loses_nothing() -> None:
    words = " ".join(str(i) for i in range(50))
    small = cheap(Script.of(words, first=0.0, gap=0.0))
    made = Router([Tier(upstream=small)], high_water=8)

    async def main() -> tuple[str, int]:
        text, most = "", 0
        async with made, made.stream(ASK) as stream:
            async for event in stream:
                await anyio.sleep(0.1)
                most = max(most, len(stream._driver.items))
                text += event.text if isinstance(event, TextDelta) else ""
        return text, most

    text, most = run_virtual(main)
    assert text == words
    assert most <= 8 + 16 + 2, "high water, the driver's inbox, and what was under way"


def test_what_the_reader_throws_comes_back_unwrapped() -> None:
    small = cheap("word " * 100)

    async def main() -> None:
        async with router(small, large()) as made, made.stream(ASK) as stream:
            async for _ in stream:
                raise KeyError("the reader's own")

    with pytest.raises(KeyError, match="the reader's own"):
        run_virtual(main)
    assert small.running == 0


def test_a_cancelled_reader_leaves_nothing_running() -> None:
    small = cheap("word " * 100, AGREE)
    routes: list[RoutedStream] = []

    async def read(made: Router) -> None:
        async with made.stream(ASK) as stream:
            routes.append(stream)
            async for _ in stream:
                pass

    async def main() -> None:
        async with router(small, large()) as made:
            task = asyncio.create_task(read(made))
            await anyio.sleep(0.15)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert small.running == 0

    run_virtual(main)
    record = routes[0].route.leg(Leg(0))
    assert record is not None
    assert (record.state, record.reason) == (LegState.CANCELLED, "reader left")
    assert record.completion_tokens > 0


def test_events_tell_no_ends_and_no_usage_of_legs_that_may_not_be_kept() -> None:
    deltas: list[DeltaReceived] = []

    def observe(now: float, event: Event, actions: tuple[Action, ...]) -> None:
        if isinstance(event, DeltaReceived):
            deltas.append(event)

    play(router(cheap(probes=AGREE), large()), observer=observe)
    assert deltas
    assert all(event.delta.finish_reason is None and event.delta.usage is None for event in deltas)


def test_every_choice_of_an_unjudged_answer_keeps_its_own_end() -> None:
    class Choices(ScriptedUpstream):
        def _script(self, request: Any) -> Script:
            return next(scripts)

    scripts = iter([Script.of("It is Rome."), Script([(0.2, "It is")], finish_reason="length")])
    events, route = play(router(Choices(name="cheap"), large()), judge=False, params={"n": 2})
    deltas = [event.delta for event in events if isinstance(event, TextDelta)]
    assert [(delta.index, delta.finish_reason) for delta in deltas if delta.finish_reason] == [(1, "length")]
    assert (route.answer, route.finish_reason) == ("It is Rome.", "stop")


def test_usage_of_one_request_is_shared_out_by_what_each_sample_received() -> None:
    words = [Script([(0.1, "a"), (0.1, " b")], usage=Usage(7, 30)), Script([(0.1, "c")]), Script([(0.1, "")])]
    _, route = play(router(cheap(Script.of("It is Rome.", first=1.0), words, supports_n=True), large()))
    records = [route.leg(Leg(0, i)) for i in range(3)]
    assert [record.completion_tokens for record in records if record] == [20, 10, 0]
    assert [record.prompt_tokens for record in records if record] == [7, 0, 0]


def test_leaving_the_router_closes_every_upstream_once() -> None:
    small, big = cheap(), large()
    play(router(small, big))
    assert small.closed
    assert big.closed


@pytest.mark.parametrize(("request_fields", "param"), [({"start_tier": 5}, "tier"), ({"start_tier": -1}, "tier")])
def test_a_tier_that_is_not_there_is_named(request_fields: dict[str, int], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        play(router(cheap(), large()), **request_fields)
    assert caught.value.param == param


def test_an_empty_conversation_is_refused_before_anything_starts() -> None:
    small = cheap()

    async def main() -> None:
        async with router(small, large()) as made, made.stream([]):
            pass

    with pytest.raises(BadRequestError, match="messages must not be empty"):
        run_virtual(main)
    assert small.calls == []


def test_a_judged_tier_needs_a_judge() -> None:
    with pytest.raises(ConfigError, match="'cheap' is probed, but the router has no scorer"):
        router(cheap(), large(), scorer=None)


def test_two_tiers_cannot_have_one_name() -> None:
    with pytest.raises(ConfigError, match="different names"):
        Router([Tier(upstream=cheap()), Tier(upstream=cheap())])


def test_usage_that_is_not_said_is_estimated_and_marked() -> None:
    silent = Script([(0.1, "It"), (0.1, " is"), (0.1, " Rome.")])
    _, route = play(router(cheap(silent), large()), judge=False)
    record = route.legs[0]
    assert (record.completion_tokens, record.counted) == (3, False)
    assert record.prompt_tokens == len(ASK[0]["content"]) // 4 + 1


def test_usage_is_taken_from_the_model_when_it_says() -> None:
    said = Script([(0.1, "It is Rome.")], usage=Usage(21, 5))
    _, route = play(router(cheap(said), large()), judge=False)
    record = route.legs[0]
    assert (record.prompt_tokens, record.completion_tokens, record.counted) == (21, 5, True)


async def test_a_request_may_be_probed_less_and_the_judge_knows_how_many_to_expect() -> None:
    small = cheap(probes=["It is Rome."])
    async with router(small, large(), probes=ProbePlan(count=5)) as routing:
        async with routing.stream(ASK, probes=2) as stream:
            assert [event async for event in stream]
        assert sum(call.request.probe for call in small.calls) == 2
        assert stream.route.evidence is not None
        assert stream.route.evidence.expected == 2
        async with routing.stream(ASK, probes=9) as stream:
            assert [event async for event in stream]
        assert stream.route.evidence is not None
        assert stream.route.evidence.expected == 5
        with pytest.raises(ConfigError, match="at least 1"):
            async with routing.stream(ASK, probes=0):
                pass


@pytest.mark.parametrize(("hedge", "asked"), [(True, 1), (False, 0)])
async def test_a_request_may_go_without_its_hedge(hedge: bool, asked: int) -> None:
    bigger = large()
    async with router(cheap(probes=["It is Rome."]), bigger, hedge_after=0.0) as routing:
        async with routing.stream(ASK, hedge=hedge) as stream:
            assert [event async for event in stream]
        assert len(bigger.calls) == asked
