"""When is one more probe worth its price? The cost-aware stopping table: a dynamic programme over what probes can still
say, solved when the table is made (METHOD 3.3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from streamroute.core.policy import Policy, Snapshot
from streamroute.core.types import UNDECIDED, Decision, Verdict
from streamroute.uncertainty.stopping.chances import chance_of_score, chance_of_state
from streamroute.uncertainty.stopping.costs import Costs
from streamroute.uncertainty.stopping.states import Move, State, following, placements, state_of

__all__ = ("Moves", "StoppingTable")

MOST_PROBES = 12
"""The longest horizon that is solved; the states of longer ones are too many for a table made in milliseconds."""
PRIOR_STRENGTH = 10.0
"""How many observed moves the Ewens posterior counts for, where moves have been observed."""
SURPLUS = np.arange(-6.0, 6.25, 0.25)
"""What an answer has for or against it beside the counts, as a difference of log-odds: the table has a column each."""

Floats = npt.NDArray[np.float64]
Moves = Mapping[State, Mapping[Move, int]]
"""How often the next probe did what, by state."""


class StoppingTable(Policy):
    """Stops as soon as no further probe is worth its price, and then does what costs least.

    In the units of `costs`, an answer that is wrong with probability p loses p when it is kept, and slope * (p - limit)
    less when it is escalated. Waiting costs the price of a probe and brings the better of both later. States are
    cluster counts. `by_state` says how probable it is that the answer is wrong given them; `moves`, counts of what
    probes did, refine the Ewens posterior over the next state. `by_score` says the same given the score, which knows
    more than counts; what it knows beyond them is taken to stay as it is while probes come. Both return probabilities,
    and `by_score` must not fall as the score rises: a score that can no longer come to the other side of the limit
    stops the probing. The first probe is always worth waiting for: what is expected without any is known least.

    `limit`: the probability above which to escalate, where it is not to follow from the prices. `most`: the largest
    number of probes in use. While the answer is not judged yet it is never kept, and escalated only where neither its
    arrival nor a probe is worth waiting for. Raises ValueError for a `most` outside 1 to 12 and a `limit` not above 0.
    """

    def __init__(
        self,
        costs: Costs | None = None,
        *,
        most: int = 8,
        limit: float | None = None,
        by_state: Callable[[State], float] = chance_of_state,
        by_score: Callable[[float], float] = chance_of_score,
        moves: Moves | None = None,
    ) -> None:
        if not 1 <= most <= MOST_PROBES:
            raise ValueError(f"a stopping table is for 1 to {MOST_PROBES} probes, not {most}")
        self.costs = Costs() if costs is None else costs
        self.limit = self.costs.limit if limit is None else limit
        if not self.limit >= 0:
            raise ValueError(f"the limit must not be negative, not {self.limit}")
        self.most = most
        self._by_state, self._by_score = by_state, by_score
        self._moves = {} if moves is None else moves
        self._chances: dict[State, float] = {}
        self._next: dict[State, list[tuple[State, float]]] = {}
        self._values: dict[tuple[State, int], Floats] = {}
        for start in (State(), State(own=None)):
            for total in range(most + 1):
                self._value(start, total)

    def __call__(self, snapshot: Snapshot) -> Verdict:
        evidence = snapshot.evidence
        if evidence is None or evidence.samples == 0:
            return UNDECIDED
        state = state_of(evidence)
        wrong = self._chance(state) if state.own is None else self._by_score(evidence.score)
        if snapshot.settled:
            return self._stop(wrong)
        if self._by_score(evidence.low) > self.limit:
            return self._stop(wrong, Decision.ESCALATE)
        if state.own is not None and self._by_score(evidence.high) <= self.limit:
            return self._stop(wrong, Decision.ACCEPT)
        return self._act(state, wrong, snapshot.pending)

    def wait(self, state: State, remaining: int, wrong: float) -> float:
        """The loss to expect from waiting for one more of `remaining` probes, or for the answer to be judged, and doing
        the best from then on; infinite where there is nothing to wait for. `wrong`: how probable it is now that the
        answer is wrong, whatever the counts say."""
        remaining = min(remaining, self.most - state.probes)
        if remaining < 0 or (remaining == 0 and state.own is not None):
            return math.inf
        surplus = _logit(wrong) - _logit(self._chance(state))
        return float(np.interp(surplus, SURPLUS, self._waiting(state, remaining)))

    def _act(self, state: State, wrong: float, pending: int) -> Verdict:
        now = wrong - max(0.0, self._gain(wrong))
        escalates = self._gain(wrong) > 0
        if self.wait(state, pending, wrong) < now or (state.own is None and not escalates):
            return UNDECIDED
        return self._stop(wrong)

    def _stop(self, wrong: float, decision: Decision | None = None) -> Verdict:
        if decision is None:
            decision = Decision.ESCALATE if self._gain(wrong) > 0 else Decision.ACCEPT
        return Verdict(decision, "stop_escalate" if decision is Decision.ESCALATE else "stop_keep")

    def _gain(self, wrong: float) -> float:
        return self.costs.slope * (wrong - self.limit)

    # -- the table ----------------------------------------------------------------------------------------------------

    def _value(self, state: State, remaining: int) -> Floats:
        """(surplus,) the least loss to expect at `state` with `remaining` probes to come."""
        known = self._values.get((state, remaining))
        if known is None:
            wrong = _expit(_logit(self._chance(state)) + SURPLUS)
            known = wrong - np.maximum(0.0, self.costs.slope * (wrong - self.limit))
            if remaining > 0 or state.own is None:
                known = np.minimum(known, self._waiting(state, remaining))
            self._values[state, remaining] = known
        return known

    def _waiting(self, state: State, remaining: int) -> Floats:
        """(surplus,) the least loss to expect from waiting: for a probe, or for the answer, which costs nothing."""
        best: Floats | float = np.inf
        if remaining > 0:
            best = self.costs.probe + sum(p * self._value(after, remaining - 1) for after, p in self._following(state))
        if state.own is None:
            best = np.minimum(best, sum(p * self._value(placed, remaining) for placed, p in placements(state)))
        return np.asarray(best)

    def _following(self, state: State) -> list[tuple[State, float]]:
        found = self._next.get(state)
        if found is None:
            found = self._next[state] = list(self._mixed(state))
        return found

    def _mixed(self, state: State) -> Iterator[tuple[State, float]]:
        """The Ewens posterior over the next states, as a prior of the observed moves."""
        expected = list(following(state))
        seen = self._moves.get(state, {})
        total = sum(seen.values())
        for move, after, chance in expected:
            of_kind = sum(p for other, _, p in expected if other is move)
            share = chance / of_kind if of_kind else 0.0
            yield after, (PRIOR_STRENGTH * chance + seen.get(move, 0) * share) / (PRIOR_STRENGTH + total)

    def _chance(self, state: State) -> float:
        """How probable it is that the answer is wrong. Not judged, it is like the next probe."""
        known = self._chances.get(state)
        if known is None:
            known = sum(p * min(1.0, max(0.0, self._by_state(placed))) for placed, p in placements(state))
            self._chances[state] = known
        return known


def _logit(p: float) -> float:
    p = min(1 - 1e-6, max(1e-6, p))
    return math.log(p / (1 - p))


def _expit(z: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(z / 2)))
