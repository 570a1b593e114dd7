"""The legs of one simulated route while they run, and what they cost in the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from streamroute.evaluation.simulation.legs import RecordedLeg
from streamroute.evaluation.simulation.outcome import Billing

__all__ = ("Bill", "RunningLeg", "billed")


class RunningLeg:
    """A leg that is under way, or that was. `to_come` are its events after the one that is due; `shared`: the prompt is
    paid by another leg of the same request."""

    __slots__ = ("cancelled", "record", "shared", "started", "to_come")

    def __init__(self, record: RecordedLeg, started: float) -> None:
        self.record = record
        self.started = started
        self.to_come = iter(record.events)
        self.cancelled: float | None = None
        self.shared = False

    def generated(self, now: float) -> int:
        """Its tokens until now, or until it was cancelled."""
        return self.record.tokens_by((now if self.cancelled is None else self.cancelled) - self.started)


class Bill(NamedTuple):
    """As of an `Outcome`."""

    cost: float
    waste: float
    large_cost: float
    wasted_cheap: int
    wasted_probe: int
    wasted_large: int
    probe_tokens: int
    probes: int
    probes_started: int


def billed(
    legs: Mapping[tuple[int, int | None], RunningLeg],
    prefixes: Mapping[int, int],
    billing: Billing,
    kept: int,
    *,
    failed: bool,
) -> Bill:
    """What all legs of a route cost, by tier and probe. `kept` is the tier of its answer; where it `failed`,
    the last that was tried. `prefixes` are the tokens of another answer that a tier was told to go on from."""
    prices, in_full = billing.prices, billing.cancelled == "full"
    cost = waste = large_cost = 0.0
    wasted_cheap = wasted_large = wasted_probe = probe_tokens = heard = started = 0
    for (tier, probe), leg in legs.items():
        record, cancelled = leg.record, leg.cancelled
        tokens = record.tokens if cancelled is None or in_full else record.tokens_by(cancelled - leg.started)
        if probe is None:
            price = prices[tier].of(record.prompt_tokens + prefixes[tier], tokens)
            if failed or tier != kept:
                waste += price
                if tier < kept or tier == 0:
                    wasted_cheap += tokens
                else:
                    wasted_large += tokens
        else:
            price = prices[tier].of(0 if leg.shared else record.prompt_tokens, tokens)
            started += 1
            probe_tokens += tokens
            if cancelled is None:
                heard += 1
            else:
                waste += price
                wasted_probe += tokens
        cost += price
        if tier:
            large_cost += price
    return Bill(cost, waste, large_cost, wasted_cheap, wasted_probe, wasted_large, probe_tokens, heard, started)
