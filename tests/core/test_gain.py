"""Escalating on gain, over a bar that rises while the reader reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.core.gain import Gain
from streamroute.core.policy import Snapshot
from streamroute.core.types import UNDECIDED, Decision, Evidence
from streamroute.errors import ConfigError
from tests.core.world import evidence

FREE = Gain(cost=0.0, second=0.0)


def snapshot(found: Evidence | None, **settings: Any) -> Snapshot:
    given = {"pending": 0, "settled": False, "elapsed": 0.0, "answer_finished": False, **settings}
    return Snapshot(tier=0, last_tier=1, evidence=found, **given)


def final(score: float, **settings: Any) -> Snapshot:
    return snapshot(evidence(3, 3, score=score), **settings)


def test_even_a_free_switch_pays_only_where_the_answer_is_wrong_often_enough() -> None:
    at = 0.08 / 0.68  # (1 - q1) / (q0 + 1 - q1), METHOD 2.5
    assert FREE(final(at - 0.01)).decision is Decision.ACCEPT
    assert FREE(final(at + 0.01)).decision is Decision.ESCALATE


def test_without_evidence_it_waits() -> None:
    assert Gain()(snapshot(None)) == UNDECIDED


def test_it_waits_for_the_answer_unless_nothing_more_will_come() -> None:
    unjudged = evidence(2, 2, score=0.9, judged=False, certified=False)
    assert Gain()(snapshot(unjudged)) == UNDECIDED
    assert Gain()(snapshot(unjudged, settled=True)).reason == "gain_pays"


def test_the_bar_rises_with_reading() -> None:
    policy = Gain()
    read = {"shown": 4.0, "shown_characters": 400}
    bars = [policy.bar(final(0.5)), policy.bar(final(0.5, shown=0.0)), policy.bar(final(0.5, **read))]
    assert bars == pytest.approx([0.059, 0.079, 0.099])  # .05 + .01 * (.9 s, + 2 s, + .5 * 4 s)


def test_nobody_reads_more_than_there_is() -> None:
    assert Gain().bar(final(0.5, shown=60.0, shown_characters=20)) == pytest.approx(0.079 + 0.005)


def test_a_hedge_lowers_the_bar_and_so_does_what_is_left_unsaid() -> None:
    policy = Gain(saving=0.02)
    assert policy.bar(final(0.5, hedged=0.4)) == pytest.approx(0.05 - 0.02 + 0.01 * 0.5)
    assert policy.bar(final(0.5, hedged=5.0, answer_finished=True)) == pytest.approx(0.05)


@pytest.mark.parametrize(("seconds", "append"), [(6.0, False), (6.1, True)])
def test_what_was_read_for_long_is_not_taken_back_but_added_to(seconds: float, append: bool) -> None:
    verdict = Gain()(final(1.0, shown=seconds, shown_characters=1000))
    assert (verdict.decision, verdict.append) == (Decision.ESCALATE, append)


@given(
    scores=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(sorted),
    policy=st.builds(
        Gain, second=st.floats(0, 0.2), saving=st.floats(0, 0.1), annoyance=st.floats(0, 3), reading=st.floats(0, 2)
    ),
    started=st.tuples(st.none() | st.floats(0, 2), st.none() | st.floats(0, 1)),
    later=st.floats(0, 2.5),
    becomes=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_a_certified_verdict_is_the_one_that_any_evidence_to_come_would_give_until_the_horizon(
    scores: list[float],
    policy: Gain,
    started: tuple[float | None, float | None],
    later: float,
    becomes: tuple[bool, bool, bool],
) -> None:
    (low, score, high), (shown, hedged) = scores, started
    partial = Evidence(samples=1, expected=3, score=score, low=low, high=high, answer_cluster=0)
    start = snapshot(partial, pending=2, shown=shown, shown_characters=20, hedged=hedged)
    early = policy(start)
    if not early.decided:
        return
    finishes, shows, hedge_changes = becomes
    seen = shown + later if shown is not None else (later if shows else None)
    beside = None if hedge_changes else (later if hedged is None else hedged + later)
    for end in (low, score, high):
        full = replace(
            start,
            evidence=evidence(3, 3, score=end),
            pending=0,
            elapsed=later,
            answer_finished=finishes,
            shown=seen,
            shown_characters=0 if seen is None else 1000,
            hedged=beside,
        )
        assert policy(full).decision is early.decision


def test_certainty_ends_the_wait_both_ways() -> None:
    sure_good = Evidence(samples=1, expected=3, score=0.0, low=0.0, high=0.1, answer_cluster=0)
    sure_bad = Evidence(samples=1, expected=3, score=1.0, low=0.9, high=1.0, answer_cluster=0)
    open_ended = Evidence(samples=1, expected=3, score=0.5, answer_cluster=0)
    reasons = [Gain()(snapshot(found, pending=2)).reason for found in (sure_good, sure_bad, open_ended)]
    assert reasons == ["gain_certain_not_to_pay", "gain_certain_to_pay", ""]


@pytest.mark.parametrize(
    ("settings", "message"), [({"keeps": 1.2}, "keeps must be between"), ({"cost": -1.0}, "cost must not be negative")]
)
def test_prices_that_make_no_sense_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Gain(**settings)
