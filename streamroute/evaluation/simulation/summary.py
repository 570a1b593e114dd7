"""Many simulated routes as a few figures, each with its bootstrap interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from streamroute.evaluation.metrics import Floats, Interval, bootstrap_interval
from streamroute.evaluation.simulation.outcome import Outcome

__all__ = ("FIGURES", "Estimate", "Summary", "summarise")


class Estimate(NamedTuple):
    """`low` and `high` hold 95 % of what other routes of the same kind would give; `of` so many routes."""

    value: float
    low: float
    high: float
    of: int


class _Figure(NamedTuple):
    """One number of each route, or None where the route has none, and what is made of all of them."""

    of_route: Callable[[Outcome], float | None]
    statistic: Callable[[Floats], float]


def _mean(values: Floats) -> float:
    return float(values.mean())


def _percentile(share: float) -> Callable[[Floats], float]:
    """The smallest value that at least `share` of the values do not exceed (nearest rank)."""

    def statistic(values: Floats) -> float:
        rank = max(0, math.ceil(share * len(values)) - 1)
        return float(np.partition(values, rank)[rank])

    return statistic


def _quality(outcome: Outcome) -> float | None:
    return 0.0 if outcome.failed else outcome.correct


def _kept(outcome: Outcome) -> float | None:
    return None if outcome.tier else outcome.first_kept


def _escalated(outcome: Outcome) -> float | None:
    return outcome.first_kept if outcome.tier else None


def _after_verdict(outcome: Outcome) -> float | None:
    if not outcome.tier or outcome.first_kept is None or outcome.decided is None:
        return None
    return outcome.first_kept - outcome.decided


def _both(name: str, of_route: Callable[[Outcome], float | None]) -> dict[str, _Figure]:
    return {f"{name}_p{p}": _Figure(of_route, _percentile(p / 100)) for p in (50, 95)}


FIGURES: Mapping[str, _Figure] = {
    "quality": _Figure(_quality, _mean),
    "cost": _Figure(lambda outcome: outcome.cost, _mean),
    "waste": _Figure(lambda outcome: outcome.waste, _mean),
    "escalated": _Figure(lambda outcome: outcome.tier > 0, _mean),
    **_both("ttft", lambda outcome: outcome.first_shown),
    **_both("ttfkt", lambda outcome: outcome.first_kept),
    **_both("ttfkt_kept", _kept),
    **_both("ttfkt_escalated", _escalated),
    **_both("after_verdict", _after_verdict),
    **_both("verdict", lambda outcome: outcome.decided),
    "retracted": _Figure(lambda outcome: outcome.retracted, _mean),
    "withdrawn_tokens": _Figure(lambda outcome: outcome.withdrawn_tokens, _mean),
    "wasted_cheap": _Figure(lambda outcome: outcome.wasted_cheap, _mean),
    "wasted_probe": _Figure(lambda outcome: outcome.wasted_probe, _mean),
    "wasted_large": _Figure(lambda outcome: outcome.wasted_large, _mean),
    "probes": _Figure(lambda outcome: outcome.probes, _mean),
    "probes_started": _Figure(lambda outcome: outcome.probes_started, _mean),
    "nli_pairs": _Figure(lambda outcome: outcome.nli_pairs, _mean),
    "hedged": _Figure(lambda outcome: outcome.hedged, _mean),
    "hedge_won": _Figure(lambda outcome: outcome.hedge_won if outcome.hedged else None, _mean),
    "failed": _Figure(lambda outcome: outcome.failed, _mean),
}
"""By name. ttft, ttfkt: seconds to the first token shown and to the first that was kept; of the routes whose cheap
answer was kept, and of the escalated ones. after_verdict: seconds from the verdict to the first kept token of the
escalated ones: the large model's own time to its first token, or less where it was hedged. Tokens, probes and pairs are
for each route, `hedge_won` is for each hedged one. Percentiles are by nearest rank."""


@dataclass(frozen=True, slots=True)
class Summary:
    """`figures` by the names of `FIGURES`, None where no route has the number."""

    n: int
    figures: Mapping[str, Estimate | None]

    def value(self, name: str) -> float | None:
        estimate = self.figures[name]
        return None if estimate is None else estimate.value

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: each figure under its name, its interval under the name with `_ci`."""
        found: dict[str, Any] = {"n": self.n}
        for name, estimate in self.figures.items():
            found[name] = None if estimate is None else estimate.value
            found[f"{name}_ci"] = None if estimate is None else [estimate.low, estimate.high]
        return found


def summarise(outcomes: Sequence[Outcome], *, resamples: int = 1000) -> Summary:
    """Of at least one outcome. Equal outcomes give equal intervals."""
    return Summary(len(outcomes), {name: _estimate(each, outcomes, resamples) for name, each in FIGURES.items()})


def _estimate(figure: _Figure, outcomes: Sequence[Outcome], resamples: int) -> Estimate | None:
    numbers = [number for outcome in outcomes if (number := figure.of_route(outcome)) is not None]
    if not numbers:
        return None
    values = np.array(numbers, dtype=np.float64)
    value = figure.statistic(values)
    constant = bool((values == values[0]).all())  # every resample is the same
    around = Interval(value, value) if constant else bootstrap_interval(figure.statistic, values, resamples=resamples)
    assert around is not None  # these statistics are always defined
    return Estimate(value, *around, len(numbers))
