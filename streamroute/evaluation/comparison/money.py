"""What it costs to route by a score: the answers that are generated, the samples that it is made from, and waste."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamroute.core.types import Leg
from streamroute.evaluation.methods import Method
from streamroute.evaluation.metrics import Bools, Floats
from streamroute.evaluation.paradigms import When, paradigm
from streamroute.evaluation.rows import RoutingRow
from streamroute.evaluation.simulation.legs import RecordedLeg, RecordedRoute
from streamroute.evaluation.simulation.outcome import Billing
from streamroute.evaluation.simulation.timings import Timings
from streamroute.routing.tiers import Price

__all__ = ("LegCosts", "foresight", "leg_costs")


@dataclass(frozen=True, slots=True, eq=False)
class LegCosts:
    """Of each row, (n,): the cheap answer and the large one; `samples` (n, k + 1): none, the first, the first two .. k
    samples together, as often as there are in the row with the most."""

    cheap: Floats
    samples: Floats
    large: Floats

    def of(self, method: Method) -> tuple[Floats, Floats]:
        """(n,) what each row costs that is kept, and that is escalated.

        Who decides before anything is generated pays one of the two answers; all others pay the cheap one first, which
        is wasted where the large one follows, and the samples that they take.
        """
        if paradigm(method.name).when is When.BEFORE:
            return self.cheap, self.large
        paid = self.cheap
        if method.taken is not None:
            paid = paid + self.samples[np.arange(len(paid)), method.taken]
        elif method.probes:
            paid = paid + self.samples[:, -1]
        return paid, paid + self.large


def leg_costs(rows: Sequence[RoutingRow], billing: Billing, *, together: bool = True) -> LegCosts:
    """Of rows that all have a large answer. Tokens are those recorded, else estimated by the length. `together`: the
    samples share one prompt, as of a provider's `n=`, or of one that caches prompts."""
    cheap, large = billing.prices
    routes = [RecordedRoute.of(row, _STATED) for row in rows]
    most = max((len(route.tiers[0].probes) for route in routes), default=0)
    samples = np.zeros((len(routes), most + 1))
    for i, route in enumerate(routes):
        probes = route.tiers[0].probes
        costs = [_cost(cheap, leg, prompt=j == 0 or not together) for j, leg in enumerate(probes)]
        samples[i, 1:] = np.cumsum([*costs, *[0.0] * (most - len(costs))])
    return LegCosts(
        np.array([_cost(cheap, route.leg(Leg(0))) for route in routes]),
        samples,
        np.array([_cost(large, route.leg(Leg(1))) for route in routes]),
    )


def foresight(costs: LegCosts, cheap: Bools, large: Bools, *, share: float) -> float | None:
    """The least cost, of always-large's, at which any router that sees the cheap answers first could recover `share` of
    the gap between the models: it draws no sample, and asks for the cheapest large answers that mend a cheap one. None
    where there is no gap. `cheap`, `large`: (n,) whose answers are right."""
    gap = int(large.sum()) - int(cheap.sum())
    if gap <= 0:
        return None
    mending = np.sort(costs.large[large & ~cheap])
    needed = math.ceil(share * gap - 1e-9)
    return float((costs.cheap.sum() + mending[:needed].sum()) / costs.large.sum())


def _cost(price: Price, leg: RecordedLeg, *, prompt: bool = True) -> float:
    return price.of(leg.prompt_tokens if prompt else 0, leg.tokens)


_STATED = Timings()
