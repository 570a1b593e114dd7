"""The closed forms against draws, and against METHOD 5.1's own figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from streamroute.config.economics import Expected, Timing, expected

METHOD = Timing(cheap_first=0.35, large_first=0.9, verdict_mean=0.8, verdict_spread=0.4)  # T_c + gamma(4, .2)
P = 0.25


def of(
    release: str, *, timing: Timing = METHOD, escalated: float = P, probes: float = 0.5, hedge_at: float | None = None
) -> Expected:
    return expected(release, timing, escalated=escalated, cheap=1.0, large=20.0, probes=probes, hedge_at=hedge_at)


@pytest.mark.parametrize(
    ("release", "hedge_at", "kept"),
    [("retract", None, 0.774), ("hold", None, 1.374), ("retract", 0.0, 0.561), ("retract", 0.35, 0.604)],
)
def test_the_figures_of_method_5_1(release: str, hedge_at: float | None, kept: float) -> None:
    assert of(release, hedge_at=hedge_at).kept == pytest.approx(kept, abs=2e-3)


@pytest.mark.parametrize("release", ["hold", "retract", "append", "sequential"])
@pytest.mark.parametrize("hedge_at", [None, 0.0, 0.5, 3.0])
@pytest.mark.parametrize("spread", [0.1, 0.4, 1.2])
def test_the_closed_forms_are_what_many_draws_give(release: str, hedge_at: float | None, spread: float) -> None:
    timing = Timing(
        cheap_first=0.3, large_first=0.7, verdict_mean=0.9, verdict_spread=spread, cheap_rest=1.5, large_rest=4.0
    )
    random = np.random.default_rng(1)
    large: npt.NDArray[np.floating[Any]]
    shape = (0.9 / spread) ** 2
    verdict = 0.3 + random.gamma(shape, 0.9 / shape, 400_000)
    escalates = random.random(len(verdict)) < 0.3
    large = np.maximum(verdict, hedge_at + 0.7) if hedge_at is not None else verdict + 0.7
    shown = {"hold": verdict, "sequential": verdict + 1.5}.get(release, np.full_like(verdict, 0.3))
    if release == "sequential":
        large = verdict + 1.5 + 0.7
    kept = np.where(escalates, large, shown)
    written = np.minimum(verdict - 0.3, 1.5) / 1.5
    cost: npt.NDArray[np.floating[Any]] = np.where(escalates, written + 20.0, 1.0) + 0.5
    if hedge_at is not None and release != "sequential":
        cost += np.where(escalates, 0.0, 20.0 * np.maximum(0.0, verdict - hedge_at - 0.7) / 4.0)
    if release == "sequential":
        cost = 1.5 + 20.0 * escalates
    found = of(release, timing=timing, escalated=0.3, hedge_at=hedge_at)
    assert found.kept == pytest.approx(kept.mean(), rel=0.01)
    assert found.cost == pytest.approx(cost.mean(), rel=0.01)


def test_shown_at_once_means_the_cheap_first_token_and_a_withdrawal_for_each_escalation() -> None:
    for release in ("retract", "append", "continue"):
        assert (of(release).first, of(release).withdrawn) == (0.35, P)
    assert of("hold").withdrawn == of("sequential").withdrawn == 0


def test_the_two_models_alone_judge_nothing() -> None:
    assert of("cheap") == Expected(first=0.35, kept=0.35, withdrawn=0.0, cost=1.0)
    assert of("large") == Expected(first=0.9, kept=0.9, withdrawn=0.0, cost=20.0)


def test_a_verdict_that_takes_no_time_needs_no_distribution() -> None:
    timing = Timing(cheap_first=0.3, large_first=0.9, verdict_mean=0.0, verdict_spread=0.0, cheap_rest=0.0)
    assert of("hold", timing=timing).kept == pytest.approx(0.3 + P * 0.9)


@pytest.mark.parametrize("hedge_at", [0.0, 0.2, 0.5, 1.0, 2.0, 10.0])
def test_a_hedge_never_makes_the_kept_answer_later(hedge_at: float) -> None:
    later = of("retract", hedge_at=hedge_at)
    assert later.kept <= of("retract").kept + 1e-9 or hedge_at > METHOD.verdict
    assert later.cost >= of("retract").cost - 1e-9
