"""What a route is expected to take and to cost, in closed form (METHOD 5.1).

The decision comes T_D = `cheap_first` + a gamma variable after the request; the probability of an escalation does not
depend on it. The decision deadline is left out. All probes are paid for. Times in seconds, costs in the money of the
prices for one request of `PROMPT_TOKENS` and `ANSWER_TOKENS`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from streamroute.config.settings import OpenAISettings, PriceSettings, RouteSettings, Settings, TimingSettings

__all__ = ("Expected", "Probing", "break_even", "expectations", "expected")

PROMPT_TOKENS: Final = 300
ANSWER_TOKENS: Final = 300
"""The request that prices are compared on: a question with some context, a few paragraphs for an answer."""

Mode = Literal["retract", "append", "hold", "retract+hedge", "hold+hedge", "sequential", "always-large"]


@dataclass(frozen=True, slots=True)
class Expected:
    """Expectations for one way to answer: seconds to the first token shown and to the first that is kept, money for a
    request, the share of requests whose shown text is superseded, and large tokens that nobody reads."""

    mode: Mode
    first: float
    kept: float
    cost: float
    superseded: float = 0.0
    wasted: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """`count` samples of at most `tokens`; `shared` where the prompt of all of them is paid once."""

    count: int
    tokens: int
    shared: bool = False

    def cost(self, price: PriceSettings) -> float:
        """In money."""
        if not self.count:
            return 0.0
        prompts = 1 if self.shared else self.count
        return _cost(price, self.count * min(self.tokens, ANSWER_TOKENS), prompts)


def break_even(cheap: PriceSettings, large: PriceSettings, probing: Probing) -> float:
    """The share of escalated requests below which routing costs less than always asking `large` (METHOD 5.1):
    `1 - rho (1 + k phi)`, with rho the price of a cheap answer over that of a large one, and k phi the price of all
    probes over that of a cheap answer. Negative: never.

    Raises ZeroDivisionError where `large` is free.
    """
    return 1 - (_cost(cheap, ANSWER_TOKENS) + probing.cost(cheap)) / _cost(large, ANSWER_TOKENS)


def expectations(settings: Settings, route: RouteSettings) -> list[Expected]:
    """Of each way in which `route` could answer, between its first tier and its last; none where it has only one or
    judges nothing. Without `[route.timings]`, by the defaults of that table."""
    if len(route.tiers) == 1 or not route.probes.count:
        return []
    cheap, large = settings.upstream(route.tiers[0]), settings.upstream(route.tiers[-1])
    shared = isinstance(cheap, OpenAISettings) and cheap.supports_n
    probing = Probing(count=route.probes.count, tokens=route.probes.max_tokens, shared=shared)
    hedge = None if math.isinf(route.hedge_after) else route.hedge_after
    return expected(route.timings or TimingSettings(), cheap.price, large.price, probing, hedge_after=hedge)


def expected(
    timings: TimingSettings,
    cheap: PriceSettings,
    large: PriceSettings,
    probing: Probing,
    *,
    hedge_after: float | None = None,
) -> list[Expected]:
    """Every way to answer, the hedged ones where `hedge_after` (seconds from the request) is given.

    `sequential` is a cascade that decides when the whole cheap draft is there.
    """
    t, p = timings, timings.escalated
    wait = _Gamma(t.decision_mean, t.decision_sd)  # from the cheap model's first token to the decision
    written = ANSWER_TOKENS / t.cheap_rate
    decided = t.cheap_first + t.decision_mean
    kept = (1 - p) * t.cheap_first + p * (decided + t.large_first)
    held = decided + p * t.large_first
    drafted = t.cheap_first + wait.at_least(written) + p * t.large_first

    full = _cost(cheap, ANSWER_TOKENS) + probing.cost(cheap) + p * _cost(large, ANSWER_TOKENS)
    saved = t.cheap_rate * (written - (t.decision_mean - wait.beyond(written)))  # tokens of a cancelled cheap answer
    cost = full - p * saved * cheap.completion / 1e6
    ways = [
        Expected("retract", t.cheap_first, kept, cost, superseded=p),
        Expected("append", t.cheap_first, kept, cost, superseded=p),
        Expected("hold", held, held, cost),
    ]
    if hedge_after is not None:
        # The hedge speaks at s + T_L: a decision before s finds none, one before s + T_L waits for it.
        start, speaks = hedge_after - t.cheap_first, hedge_after + t.large_first - t.cheap_first
        early = wait.below(start)
        spoken = t.cheap_first + wait.at_least(speaks)  # E max(T_D, s + T_L)
        late = wait.mean_below(start) + t.large_first * early - speaks * early  # correction for decisions before s
        hedged = spoken + late
        writing = ANSWER_TOKENS / t.large_rate
        wasted = (1 - p) * t.large_rate * (wait.beyond(speaks) - wait.beyond(speaks + writing))
        lost = (1 - p) * (1 - early) * PROMPT_TOKENS * large.prompt / 1e6 + wasted * large.completion / 1e6
        ways += [
            Expected("retract+hedge", t.cheap_first, (1 - p) * t.cheap_first + p * hedged, cost + lost, p, wasted),
            Expected(
                "hold+hedge",
                (1 - p) * decided + p * hedged,
                (1 - p) * decided + p * hedged,
                cost + lost,
                wasted=wasted,
            ),
        ]
    alone = Expected("always-large", t.large_first, t.large_first, _cost(large, ANSWER_TOKENS))
    return [*ways, Expected("sequential", drafted, drafted, full), alone]


def _cost(price: PriceSettings, answer: int, prompts: int = 1) -> float:
    return (prompts * price.prompt * PROMPT_TOKENS + price.completion * answer) / 1e6


class _Gamma:
    """A non-negative variable X with this mean and standard deviation; a constant where the latter is 0."""

    def __init__(self, mean: float, sd: float) -> None:
        self.mean = mean
        self.shape = (mean / sd) ** 2 if sd else math.inf

    def below(self, x: float) -> float:
        """P(X < x)."""
        return self._cdf(x, 0)

    def mean_below(self, x: float) -> float:
        """E[X; X < x], by the identity x f(x; k) = k theta f(x; k + 1)."""
        return self.mean * self._cdf(x, 1)

    def beyond(self, x: float) -> float:
        """E[(X - x)+]."""
        if x <= 0:
            return self.mean - x
        return max(0.0, self.mean - self.mean_below(x) - x * (1 - self.below(x)))

    def at_least(self, x: float) -> float:
        """E max(X, x)."""
        return x + self.beyond(x)

    def _cdf(self, x: float, more: int) -> float:
        if x <= 0:
            return 0.0
        if math.isinf(self.shape):
            return float(x > self.mean)
        return _lower_gamma(self.shape + more, x * self.shape / self.mean)


def _lower_gamma(a: float, x: float) -> float:
    """The regularised lower incomplete gamma function P(a, x), by its power series (DLMF 8.11.4)."""
    term = math.exp(a * math.log(x) - x - math.lgamma(a + 1))
    total, n = 0.0, a
    if x > a + 40 * math.sqrt(a) + 200:  # all but nothing is below
        return 1.0
    while term > 1e-17 * total:
        total += term
        n += 1
        term *= x / n
    return min(1.0, total)
