"""Everything that a model server can do wrong, on every leg and in every way to be served: each has its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from streamroute.core.types import Leg
from streamroute.routing.stream import LegState
from tests.gateway.faults.outcomes import AGREE, DISAGREE, LARGE_PARTS, Expected, Mode, Where, expected
from tests.gateway.faults.stage import Seen, Stage, nothing_left, staged
from tests.gateway.faults.table import (
    FAULTS,
    PARTS,
    REFUSAL,
    REFUSED,
    WHOLE_FAULTS,
    End,
    Fault,
    document,
    healthy,
)
from tests.gateway.served import virtually
from tests.support.faulty_server import Asked, FaultyServer, Play

WAYS: dict[Where, tuple[Mode, ...]] = {
    "answer": ("hold", "retract", "whole"),
    "probe": ("hold",),
    "probes": ("whole",),
    "large": ("hold", "retract", "whole"),
    "alone": ("hold", "whole"),
}
REASONS = {AGREE: {"samples_agree", "certain_to_agree"}, DISAGREE: {"samples_disagree", "certain_to_disagree"}}
OTHERS = ("It is", " Sydney.")
SAMPLED = 0.05
"""Seconds until the probes are there: later than the cheap answer."""


def everything() -> Iterator[tuple[Fault, Where, Mode]]:
    for where, modes in WAYS.items():
        for mode in modes:
            for fault in faults_of(where, mode):
                yield fault, where, mode


def faults_of(where: Where, mode: Mode) -> tuple[Fault, ...]:
    """A judged answer is streamed to us in any case; one that is passed on, where the client streams."""
    return WHOLE_FAULTS if (where, mode) == ("alone", "whole") else FAULTS


def plays(
    fault: Fault | None, where: Where, *, tries: int = 99
) -> tuple[Callable[[Asked], Play], Callable[[Asked], Play]]:
    """What the cheap and the large server play, the fault to the first `tries` requests of its leg. Probes agree with
    the answer but for the large tier to be asked."""

    def cheap(asked: Asked) -> Play:
        if asked.probe:
            hit = where == "probes" or (where == "probe" and asked.number == 0)
            parts = OTHERS if where == "large" else PARTS
            return fault.play(parts) if hit and fault else healthy(parts, after=SAMPLED)
        hit = where == "answer" and asked.number < tries
        return fault.play(PARTS) if hit and fault else healthy(PARTS)

    def large(asked: Asked) -> Play:
        hit = where in ("large", "alone") and asked.number < tries
        well = healthy if asked.body["stream"] else document
        return fault.play(LARGE_PARTS) if hit and fault else well(LARGE_PARTS)

    return cheap, large


async def asked_of(stage: Stage, where: Where, mode: Mode) -> Seen:
    model = "large" if where == "alone" else "auto"
    options = {} if mode == "whole" else {"release": mode}
    seen = await stage.ask(model, stream=mode != "whole", **options)
    await stage.quiet()
    return seen


@pytest.mark.parametrize(("fault", "where", "mode"), list(everything()), ids=str)
def test_every_fault_on_every_leg_has_its_outcome(fault: Fault, where: Where, mode: Mode) -> None:
    async def main() -> None:
        cheap, large = plays(fault, where)
        async with nothing_left(), staged(FaultyServer(cheap), FaultyServer(large)) as stage:
            seen = await asked_of(stage, where, mode)
            told = expected(fault.end, where, mode)
            shown = told.text if mode != "whole" or not told.broke else ""
            assert (seen.text, seen.withdrawn) == (shown, list(told.withdrawn))
            assert seen.done is not told.broke
            assert (seen.error is not None) is told.broke
            if told.broke:
                check_error(seen, fault, where, mode, told)
            check_ledger(stage, seen, told, fault, where)

    virtually(main)


def check_error(seen: Seen, fault: Fault, where: Where, mode: Mode, told: Expected) -> None:
    assert seen.error is not None
    status = 502 if told.text else fault.status
    assert seen.status == (200 if told.text and mode != "whole" else status)
    assert (seen.error["code"] == "answer_broke_off") is bool(told.text)
    assert seen.headers.get("retry-after") == fault.retry_after
    if fault.passes and where == "alone":  # in its own words
        assert seen.document == REFUSAL
        assert seen.headers["x-streamroute-unjudged"] == "tier_asked"
        return
    legs = {leg["leg"] for leg in seen.told["legs"]}
    assert "large" in legs
    assert "large" in seen.error["message"]
    kinds = {400: "invalid_request_error", 413: "invalid_request_error", 422: "invalid_request_error"}
    assert seen.error["type"] == {**kinds, 429: "rate_limit_error"}.get(status, "upstream_error")


def check_ledger(stage: Stage, seen: Seen, told: Expected, fault: Fault, where: Where) -> None:
    """One account, written before the client was told its end, whose legs are what was asked and what was shown."""
    (account,) = stage.ledger.accounts
    outcome = account.durable
    assert outcome is not None
    assert outcome is account.outcome
    route = outcome.route
    assert outcome.status == (fault.status if told.broke and not told.text else 502 if told.broke else 200)
    passed = where == "alone"  # as bytes, of which nothing is kept
    assert route.answer == ("" if passed else told.text)
    assert all(record.state is not LegState.RUNNING for record in route.legs)
    if told.text or not told.broke:
        assert route.tier_name == told.tier
        assert route.verdict is not None
        reason = "unjudged" if told.reason == "tier_asked" else told.reason
        assert route.verdict.reason in REASONS.get(reason, {reason})
        record = route.leg(Leg(route.tier or 0))
        assert record is not None
        assert record.text == route.answer, "the leg in the ledger is what was shown"
        whole = passed and not account.entry.stream
        tokens = (record.prompt_tokens, record.completion_tokens)
        if seen.usage is not None and (record.counted or not whole):
            assert (seen.usage["prompt_tokens"], seen.usage["completion_tokens"]) == tokens
        if seen.done:
            assert seen.told["legs"][-1 if told.tier == "large" else 0]["completion_tokens"] == tokens[1]
        if not record.counted:
            parts = [part for part in PARTS if part in told.text or told.text != "It is"]
            assert record.completion_tokens == (-(-len(told.text) // 4) if whole else len(parts))
        faulty = (told.tier == "cheap") == (where == "answer") and where in ("answer", "large", "alone")
        if faulty and fault.end is not End.NEVER:
            assert record.counted is (fault.counted and not told.broke)
    for server, tier in ((stage.cheap, "cheap"), (stage.large, "large")):
        ours = [record for record in route.legs if record.tier_name == tier]
        ended = sum(record.attempts for record in ours if record.state is not LegState.CANCELLED)
        least = 0 if server.refusing else ended
        assert least <= len(server.asked) <= sum(record.attempts for record in ours)
    if fault.end is End.NEVER and where in ("answer", "large", "alone"):
        record = route.leg(Leg(0 if where == "answer" else 1))
        assert record is not None
        assert record.attempts == (2 if fault.again else 1)
        assert record.state is LegState.FAILED


AGAIN: tuple[tuple[Where, Mode], ...] = (
    ("answer", "hold"),
    ("answer", "retract"),
    ("large", "whole"),
    ("alone", "hold"),
    ("alone", "whole"),
)


def passing() -> Iterator[tuple[Fault, Where, Mode]]:
    for where, mode in AGAIN:
        for fault in faults_of(where, mode):
            if fault.again:
                yield fault, where, mode


@pytest.mark.parametrize(("fault", "where", "mode"), list(passing()), ids=str)
def test_a_fault_that_passes_is_not_seen_by_the_client(fault: Fault, where: Where, mode: Mode) -> None:
    async def main() -> None:
        cheap, large = plays(fault, where, tries=1)
        async with nothing_left(), staged(FaultyServer(cheap), FaultyServer(large)) as stage:
            seen = await asked_of(stage, where, mode)
            told = expected(End.WHOLE, where, mode)
            assert (seen.status, seen.error, seen.text) == (200, None, told.text)
            assert seen.withdrawn == list(told.withdrawn)
            (account,) = stage.ledger.accounts
            assert account.durable is not None
            record = account.durable.route.leg(Leg(0 if where == "answer" else 1))
            assert record is not None
            text = "" if where == "alone" else told.text
            assert (record.attempts, record.state, record.text) == (2, LegState.FINISHED, text)
            assert (record.prompt_tokens, record.completion_tokens, record.counted) == (10, 2, True)

    virtually(main)


@pytest.mark.parametrize("mode", ["hold", "retract", "whole"])
@pytest.mark.parametrize("refusing", [("cheap",), ("large",), ("cheap", "large")], ids="+".join)
def test_a_server_that_is_not_there(refusing: tuple[str, ...], mode: Mode) -> None:
    async def main() -> None:
        where: Where = "large" if refusing == ("large",) else "answer"
        cheap, large = plays(None, where)
        servers = (FaultyServer(cheap, "cheap" in refusing), FaultyServer(large, "large" in refusing))
        async with nothing_left(), staged(*servers) as stage:
            seen = await asked_of(stage, where, mode)
            if len(refusing) == 2:
                assert (seen.status, seen.error is not None) == (502, True)
                assert {"cheap", "large"} <= {leg["leg"] for leg in seen.told["legs"]}
                return
            told = expected(End.NEVER, where, mode)
            assert (seen.status, seen.text) == (200, told.text)
            assert seen.withdrawn == list(told.withdrawn)
            check_ledger(stage, seen, told, REFUSED, where)

    virtually(main)
