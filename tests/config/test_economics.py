"""The closed forms of METHOD 5.1 against its own numbers and against draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.config.economics import (
    ANSWER_TOKENS,
    PROMPT_TOKENS,
    Expected,
    Probing,
    break_even,
    expectations,
    expected,
)
from streamroute.config.load import loads
from streamroute.config.settings import PriceSettings, TimingSettings

PROBING = Probing(count=5, tokens=96)
CHEAP, LARGE = PriceSettings(prompt=0.1, completion=0.4), PriceSettings(prompt=1.0, completion=4.0)
DRAWS = 400_000
Floats = npt.NDArray[np.float64]


def ways(timings: TimingSettings, hedge_after: float | None = None) -> dict[str, Expected]:
    return {each.mode: each for each in expected(timings, CHEAP, LARGE, PROBING, hedge_after=hedge_after)}


def test_the_numbers_of_method_5_1() -> None:
    plain, at_once, later = ways(TimingSettings()), ways(TimingSettings(), 0.0), ways(TimingSettings(), 0.35)
    assert (plain["retract"].first, plain["retract"].kept) == pytest.approx((0.35, 0.774), abs=2e-3)
    assert (plain["hold"].first, plain["hold"].kept) == pytest.approx((1.374, 1.374), abs=2e-3)
    assert at_once["retract+hedge"].kept == pytest.approx(0.561, abs=2e-3)
    assert later["retract+hedge"].kept == pytest.approx(0.604, abs=2e-3)
    assert (at_once["retract+hedge"].wasted, later["retract+hedge"].wasted) == pytest.approx((11.2, 4.4), abs=0.1)
    assert plain["always-large"].kept == 0.9
    assert plain["retract"].superseded == 0.25
    assert plain["hold"].superseded == 0


def drawn(t: TimingSettings, hedge_after: float) -> dict[str, tuple[float, float, float]]:
    """First token, first kept token and money of each mode, one request at a time."""
    rng = np.random.default_rng(11)
    wait: Floats = (
        rng.gamma((t.decision_mean / t.decision_sd) ** 2, t.decision_sd**2 / t.decision_mean, DRAWS)
        if t.decision_sd
        else np.full(DRAWS, t.decision_mean)
    )
    up = rng.random(DRAWS) < t.escalated
    decision = t.cheap_first + wait
    draft = np.maximum(decision, t.cheap_first + ANSWER_TOKENS / t.cheap_rate)
    started = decision >= hedge_after
    large = np.where(started, np.maximum(decision, hedge_after + t.large_first), decision + t.large_first)

    def money(written: Floats, large_written: Floats, asked: npt.NDArray[np.bool_]) -> float:
        cheap = 6 * PROMPT_TOKENS * CHEAP.prompt + (written + 5 * 96) * CHEAP.completion
        return float(np.mean(cheap + asked * PROMPT_TOKENS * LARGE.prompt + large_written * LARGE.completion)) / 1e6

    written = np.where(up, np.minimum(ANSWER_TOKENS, t.cheap_rate * wait), ANSWER_TOKENS)
    whole = np.full(DRAWS, float(ANSWER_TOKENS))
    cancelled = np.clip(t.large_rate * (decision - hedge_after - t.large_first), 0, ANSWER_TOKENS) * started
    plain = money(written, up * whole, up)
    hedged = money(written, np.where(up, whole, cancelled), up | started)
    kept = float(np.mean(np.where(up, decision + t.large_first, t.cheap_first)))
    hold = float(np.mean(decision + up * t.large_first))
    late = float(np.mean(np.where(up, large, decision)))
    sequential = float(np.mean(draft + up * t.large_first))
    return {
        "retract": (t.cheap_first, kept, plain),
        "append": (t.cheap_first, kept, plain),
        "hold": (hold, hold, plain),
        "retract+hedge": (t.cheap_first, float(np.mean(np.where(up, large, t.cheap_first))), hedged),
        "hold+hedge": (late, late, hedged),
        "sequential": (sequential, sequential, money(whole, up * whole, up)),
    }


@pytest.mark.parametrize("hedge_after", [0.0, 0.35, 1.0, 2.0])
@pytest.mark.parametrize(
    "timings",
    [
        TimingSettings(),
        TimingSettings(cheap_first=0.1, large_first=2.0, cheap_rate=300, decision_mean=1.5, decision_sd=1.5),
        TimingSettings(cheap_rate=400, large_rate=900, decision_sd=0.1, escalated=0.6),
        TimingSettings(decision_sd=0.0),
    ],
)
def test_every_closed_form_is_the_mean_of_draws(timings: TimingSettings, hedge_after: float) -> None:
    found, simulated = ways(timings, hedge_after), drawn(timings, hedge_after)
    assert simulated.keys() == found.keys() - {"always-large"}
    for mode, numbers in simulated.items():
        assert (found[mode].first, found[mode].kept, found[mode].cost) == pytest.approx(numbers, rel=0.01), mode


def test_a_route_is_weighed_between_its_ends_and_only_where_it_judges() -> None:
    text = "".join(
        f'[[upstream]]\nname = "{name}"\nkind = "openai"\nbase_url = "http://h/v1"\nmodel = "m"\n' for name in "abc"
    )
    settings = loads(
        text
        + '[[route]]\nname = "three"\ntiers = ["a", "b", "c"]\nhedge_after = 1\n'
        + '[[route]]\nname = "one"\ntiers = ["a"]\n'
        + '[[route]]\nname = "trusted"\ntiers = ["a", "b"]\nprobes = { count = 0 }\n'
    )
    three, one, trusted = (expectations(settings, route) for route in settings.routes)
    assert {"retract+hedge", "hold+hedge"} < {each.mode for each in three}
    assert one == trusted == []


@pytest.mark.parametrize(
    ("cheap", "probe_tokens", "limit"),
    [(1.0, 300, 0.70), (1.0, 90, 0.875), (2.0, 300, 0.40), (2.0, 90, 0.75), (4.0, 300, -0.2)],
)
def test_break_even_is_method_5_1(cheap: float, probe_tokens: int, limit: float) -> None:
    """rho = .05, .1, .2 with k = 5 and phi = 1 or .3: .70, .875, .40, .75, never."""
    prices = PriceSettings(completion=cheap), PriceSettings(completion=20.0)
    assert break_even(*prices, Probing(count=5, tokens=probe_tokens, shared=True)) == pytest.approx(limit)


@given(st.integers(0, 20), st.integers(1, 500), st.floats(0, 10), st.floats(0.01, 10))
def test_sharing_the_prompt_and_fewer_probes_never_make_routing_dearer(
    probes: int, tokens: int, cheap: float, large: float
) -> None:
    prices = PriceSettings(prompt=cheap, completion=cheap), PriceSettings(prompt=large, completion=large)
    shared = break_even(*prices, Probing(count=probes, tokens=tokens, shared=True))
    assert shared >= break_even(*prices, Probing(count=probes, tokens=tokens, shared=False))
    assert shared >= break_even(*prices, Probing(count=probes + 1, tokens=tokens, shared=True))
