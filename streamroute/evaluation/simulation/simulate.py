"""One route alone in virtual time, with a judge that is always free.

A discrete-event simulation. Nothing waits and nothing is generated, so thousands of routes are simulated in a second.
"""

from __future__ import annotations

from streamroute.core.plan import Plan
from streamroute.evaluation.simulation.legs import RecordedRoute
from streamroute.evaluation.simulation.outcome import Billing, Outcome
from streamroute.evaluation.simulation.stepping import JudgeOf, Simulation
from streamroute.evaluation.simulation.timings import JudgePace

__all__ = ("JudgeOf", "simulate")


def simulate(
    route: RecordedRoute, plan: Plan, judge: JudgeOf, billing: Billing, pace: JudgePace | None = None
) -> Outcome:
    """What `plan` makes of a recorded route. `pace` is how long the judge takes. Raises `LocalProtocolError` should the
    core wait for what nothing can bring."""
    pace = pace or JudgePace()
    verdict, pair = pace.verdict, pace.pair
    simulation = Simulation(route, plan, judge, billing)
    while (pairs := simulation.advance()) is not None:
        simulation.answer(verdict + pair * pairs)
    assert simulation.outcome is not None  # or it would have gone on
    return simulation.outcome
