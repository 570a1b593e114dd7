"""What a route's threshold follows: a number, a calibration, or the traffic."""

from __future__ import annotations

from streamroute.calibration.artefact import Artefact
from streamroute.calibration.drift import DriftAlarm
from streamroute.calibration.fit import score_of_probability
from streamroute.calibration.pacing import Fixed, Pace, Tracker
from streamroute.calibration.thresholds import Calibrated
from streamroute.calibration.tracker import MoneyTracker, RateTracker
from streamroute.config.policies import policy_of
from streamroute.config.settings import RouteSettings, Settings
from streamroute.core.policy import Threshold
from streamroute.errors import ConfigError
from streamroute.routing.tiers import Price

__all__ = ("REQUEST", "pace_of")

REQUEST = (300, 300)
"""Tokens of prompt and answer of the request that an escalation is priced by, until it is known what they cost."""


def pace_of(settings: Settings, route: RouteSettings, artefact: Artefact | None) -> Pace:
    """A new state for one router. Raises `ConfigError` where money is to be spent and the largest tier has no price."""
    if artefact is None:
        return Pace(_uncalibrated(settings, route))
    if route.policy in ("stopping-table", "cascade-routing"):  # they weigh probabilities, not a threshold
        raise ConfigError(
            f"route {route.name}: policy {route.policy} cannot be calibrated: use another, or no calibration"
        )
    cut = artefact.threshold
    alarm = DriftAlarm(artefact.drift, cut.tau)
    fallback = Threshold(cut.conservative) if route.on_drift == "fall_back" else None
    if route.escalation_rate is not None:  # which holds its rate whatever comes: there is nothing to fall back from
        return Pace(RateTracker(route.escalation_rate, start=cut.tau), alarm=alarm)
    if route.spend_per_request is not None:
        return Pace(_money(settings, route, artefact, route.spend_per_request), alarm=alarm)
    calibrated = (
        Calibrated(cut.tau, cut.gamma) if route.policy == "threshold" else policy_of(settings, route, limit=cut.tau)
    )
    return Pace(Fixed(calibrated), alarm=alarm, fallback=fallback)


def _uncalibrated(settings: Settings, route: RouteSettings) -> Tracker:
    if route.escalation_rate is None:
        return Fixed(policy_of(settings, route))
    return RateTracker(route.escalation_rate, start=route.threshold)


def _money(settings: Settings, route: RouteSettings, artefact: Artefact, budget: float) -> Tracker:
    price = settings.upstream(route.tiers[-1]).price
    extra = Price(prompt=price.prompt, completion=price.completion).of(*REQUEST)
    if extra == 0:
        raise ConfigError(f"route {route.name}: spend_per_request: {route.tiers[-1]} has no price to be spent")
    return MoneyTracker(
        budget, extra=extra, gain=artefact.gain, threshold=lambda p: score_of_probability(artefact.score, p)
    )
