"""What it costs to route by a score: the answers that are generated, the samples that it is made from, and waste."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamroute.core.types import Leg
from streamroute.evaluation.metrics import Floats
from streamroute.evaluation.paradigms import When
from streamroute.evaluation.rows import RoutingRow
from streamroute.evaluation.simulation.legs import RecordedLeg, RecordedRoute
from streamroute.evaluation.simulation.outcome import Billing
from streamroute.evaluation.simulation.timings import Timings
from streamroute.routing.tiers import Price

__all__ = ("LegCosts", "leg_costs")


@dataclass(frozen=True, slots=True, eq=False)
class LegCosts:
    """(n,) of each row: the cheap answer, all of its samples together, and the large answer."""

    cheap: Floats
    samples: Floats
    large: Floats

    def of(self, when: When, *, probes: bool) -> tuple[Floats, Floats]:
        """(n,) what each row costs that is kept, and that is escalated, by a method that decides `when`.

        Who decides before anything is generated pays one of the two answers; all others pay the cheap one first, which
        is wasted where the large one follows. `probes`: and the samples. Nothing is saved here by stopping early: that
        is for a simulation to say.
        """
        if when is When.BEFORE:
            return self.cheap, self.large
        paid = self.cheap + self.samples if probes else self.cheap
        return paid, paid + self.large


def leg_costs(rows: Sequence[RoutingRow], billing: Billing, *, together: bool = True) -> LegCosts:
    """Of rows that all have a large answer. Tokens are those recorded, else estimated by the length. `together`: the
    samples share one prompt, as of a provider's `n=`, or of one that caches prompts."""
    cheap, large = billing.prices
    found = []
    for row in rows:
        route = RecordedRoute.of(row, _STATED)
        probes = route.tiers[0].probes
        samples = sum(_cost(cheap, leg, prompt=i == 0 or not together) for i, leg in enumerate(probes))
        found.append((_cost(cheap, route.leg(Leg(0))), samples, _cost(large, route.leg(Leg(1)))))
    return LegCosts(*np.array(found, dtype=np.float64).reshape(-1, 3).T)


def _cost(price: Price, leg: RecordedLeg, *, prompt: bool = True) -> float:
    return price.of(leg.prompt_tokens if prompt else 0, leg.tokens)


_STATED = Timings()
