"""What a route costs and how long its readers wait, in closed form (METHOD 5.1).

One request: the cheap tier's first token after `cheap_first` seconds, the verdict after a random time that begins there
(a gamma distribution: the sum of several steps), an escalation with probability `escalated`, which starts the larger
tier (unless a hedge has) whose first token takes `large_first` seconds more. Escalation is taken to be independent of
the time of the verdict.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamroute.config.settings import PriceSettings

__all__ = (
    "Expected",
    "Timing",
    "answer_cost",
    "break_even",
    "expected",
    "probes_cost",
)

PROMPT_TOKENS = 300
ANSWER_TOKENS = 300
"""The request that prices are compared on: a question with some context, a few paragraphs for an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds. `verdict_mean` and `verdict_spread` (standard deviation) are of the time from the cheap tier's first
    token to the verdict, `cheap_rest` and `large_rest` the times from a tier's first token to the end of its answer."""

    cheap_first: float = 0.35
    large_first: float = 0.9
    verdict_mean: float = 0.8
    verdict_spread: float = 0.4
    cheap_rest: float = 3.0
    large_rest: float = 6.0

    def verdict_or(self, moment: float) -> float:
        """The expected later of the verdict and `moment`, both in seconds since the request."""
        return moment + self.after(moment)

    @property
    def verdict(self) -> float:
        """The expected time of the verdict."""
        return self.cheap_first + self.verdict_mean

    @property
    def written_by_verdict(self) -> float:
        """The expected share of the cheap answer, in [0, 1], that is written when the verdict falls."""
        rest = self.cheap_rest
        return (self.verdict_mean - self.after(self.cheap_first + rest)) / rest if rest else 1.0

    def after(self, moment: float) -> float:
        """How much later than `moment` the verdict is expected, where it is later: E max(0, G - w), with G gamma
        distributed of shape k and w = moment - cheap_first, is E[G] (1 - F(w; k + 1)) - w (1 - F(w; k))."""
        wait = moment - self.cheap_first
        if wait <= 0 or not (self.verdict_spread and self.verdict_mean):
            return max(0.0, self.verdict_mean - wait)
        shape = (self.verdict_mean / self.verdict_spread) ** 2
        x = wait * shape / self.verdict_mean
        return self.verdict_mean * (1 - _gamma_cdf(shape + 1, x)) - wait * (1 - _gamma_cdf(shape, x))


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Of one request, on average: seconds to the first token shown and to the first that is kept, the share of requests
    whose shown text is withdrawn or superseded, and money."""

    first: float
    kept: float
    withdrawn: float
    cost: float


def expected(
    release: str, timing: Timing, *, escalated: float, cheap: float, large: float, probes: float, hedge_at: float | None
) -> Expected:
    """What to expect of `release` (`hold`; `retract`, `append`, `continue`, which show at once; `sequential`, which
    judges the whole cheap answer; `cheap` and `large`, which judge nothing).

    `cheap`, `large` and `probes` are the prices of a whole answer of each tier and of all probes. `hedge_at` starts the
    larger tier, unseen, that many seconds into the request. A cancelled answer is charged for the share that was
    written; a hedge that was not needed for what it wrote from its first token to the verdict.
    """
    first, wait = timing.cheap_first, timing.large_first
    if release == "cheap":
        return Expected(first=first, kept=first, withdrawn=0.0, cost=cheap)
    if release == "large":
        return Expected(first=wait, kept=wait, withdrawn=0.0, cost=large)
    if release == "sequential":
        end = first + timing.cheap_rest
        kept = end + timing.verdict_mean + escalated * wait
        return Expected(first=kept, kept=kept, withdrawn=0.0, cost=cheap + probes + escalated * large)
    written = timing.written_by_verdict
    cost = cheap * (1 - escalated * (1 - written)) + probes + escalated * large
    large_first = timing.verdict + wait if hedge_at is None else timing.verdict_or(hedge_at + wait)
    if hedge_at is not None:
        cost += (1 - escalated) * large * min(1.0, timing.after(hedge_at + wait) / timing.large_rest)
    if release == "hold":
        kept = (1 - escalated) * timing.verdict + escalated * large_first
        return Expected(first=kept, kept=kept, withdrawn=0.0, cost=cost)
    kept = (1 - escalated) * first + escalated * large_first
    return Expected(first=first, kept=kept, withdrawn=escalated, cost=cost)


def answer_cost(price: PriceSettings, tokens: int = ANSWER_TOKENS, prompts: int = 1) -> float:
    """Money for `tokens` of completion after `prompts` prompts of `PROMPT_TOKENS`."""
    return (prompts * price.prompt * PROMPT_TOKENS + price.completion * tokens) / 1e6


def probes_cost(price: PriceSettings, *, probes: int, probe_tokens: int, shared: bool) -> float:
    """Money for all probes of one answer; `shared` is True where their prompt is paid once."""
    if not probes:
        return 0.0
    return answer_cost(price, probes * min(probe_tokens, ANSWER_TOKENS), 1 if shared else probes)


def break_even(cheap: PriceSettings, large: PriceSettings, *, probes: int, probe_tokens: int, shared: bool) -> float:
    """The share of escalated requests below which routing costs less than always asking `large` (METHOD 5.1):
    `1 - rho (1 + k phi)`, with rho the price of a cheap answer over that of a large one, and k phi the price of all
    probes over that of a cheap answer. Negative: never. Raises ZeroDivisionError where `large` is free.
    """
    drawn = probes_cost(cheap, probes=probes, probe_tokens=probe_tokens, shared=shared)
    return 1 - (answer_cost(cheap) + drawn) / answer_cost(large)


def _gamma_cdf(shape: float, x: float) -> float:
    """The regularised lower incomplete gamma function by its series (Abramowitz and Stegun 6.5.29)."""
    if x <= 0:
        return 0.0
    term = math.exp(shape * math.log(x) - x - math.lgamma(shape + 1))
    total, n = term, 0
    while term > 1e-16 * total or n < x:
        n += 1
        term *= x / (shape + n)
        total += term
    return min(1.0, total)
