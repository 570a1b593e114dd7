"""The policy of a route, by its name in the configuration."""

from __future__ import annotations

import math

from msgspec import to_builtins

from streamroute.calibration.artefact import Artefact
from streamroute.calibration.recalibrate import Recalibrated
from streamroute.calibration.thresholds import Calibrated
from streamroute.config.economics import ANSWER_TOKENS, PROMPT_TOKENS
from streamroute.config.settings import RouteSettings, Settings
from streamroute.core.gain import Gain
from streamroute.core.policy import Policy, Threshold
from streamroute.core.selection import Candidate, CascadeRouting, LinearLink
from streamroute.errors import ConfigError
from streamroute.routing.tiers import Price
from streamroute.uncertainty.stopping import ESC, AdaptiveConsistency, Costs, Sprt, StoppingTable
from streamroute.uncertainty.stopping.chances import chance_of_score

__all__ = ("WEIGHING", "policy_of")

WEIGHING = ("cascade-routing", "gain")
"""Policies that take the score for the probability that the answer is wrong, and have no threshold."""


def policy_of(settings: Settings, route: RouteSettings, calibration: Artefact | None = None) -> Policy:
    """The policy of a route, with the threshold of its calibration or, without one, its own; one that weighs takes the
    probabilities and the gain of the calibration. Raises `ConfigError` for parameters of which no policy can be
    made."""
    if calibration is not None and route.policy == "stopping-table":  # its states have probabilities of their own
        raise ConfigError(
            f"route {route.name}: policy stopping-table cannot be calibrated: use another, or no calibration"
        )
    try:
        policy = _policy(settings, route, calibration)
    except (ValueError, ConfigError) as error:
        raise ConfigError(f"route {route.name}: policy {route.policy}: {error}") from error
    if calibration is not None and route.policy in WEIGHING and calibration.score.kind == "judge":
        return Recalibrated(policy, calibration.score.probability_of())
    return policy


def _policy(settings: Settings, route: RouteSettings, calibration: Artefact | None) -> Policy:
    limit = route.threshold if calibration is None else calibration.threshold.tau
    stopping = route.stopping
    match route.policy:
        case "threshold":
            return Threshold(limit) if calibration is None else Calibrated(limit, calibration.threshold.gamma)
        case "adaptive-consistency":
            return AdaptiveConsistency(limit, stopping.confidence)
        case "esc":
            return ESC(limit, stopping.window)
        case "sprt":
            return Sprt(
                limit,
                agree_if_right=stopping.agree_if_right,
                agree_if_wrong=stopping.agree_if_wrong,
                false_keep=stopping.false_keep,
                false_escalation=stopping.false_escalation,
            )
        case "cascade-routing":
            return _cascade_routing(settings, route)
        case "gain":
            return _gain(route, calibration)
        case "stopping-table":
            costs = Costs(
                probe=stopping.probe_price,
                escalation=stopping.escalation_price or 0.0,
                right_when_right=stopping.right_when_right,
                right_when_wrong=stopping.right_when_wrong,
            )
            priced = stopping.escalation_price is not None
            limit_of_chance = None if priced else chance_of_score(limit)
            return StoppingTable(costs, most=max(1, route.probes.count), limit=limit_of_chance)


def _cascade_routing(settings: Settings, route: RouteSettings) -> CascadeRouting:
    prices = [settings.upstream(name).price for name in route.tiers]
    money = [Price(prompt=p.prompt, completion=p.completion).of(PROMPT_TOKENS, ANSWER_TOKENS) for p in prices]
    if not max(money) > 0:
        raise ValueError("needs the `price` of its tiers")
    quality = route.quality
    for name in ("right", "wrong", "delay"):
        given = len(getattr(quality, name))
        if given > max(1, len(money) - 1):
            raise ValueError(f"quality.{name}: {given} numbers for {len(money) - 1} tiers after the first")
    tiers = tuple(
        Candidate(
            cost=cost / max(money),
            delay=_at(quality.delay, i),
            link=LinearLink(_at(quality.right, i), _at(quality.wrong, i)),
        )
        for i, cost in enumerate(money, -1)
    )
    return CascadeRouting(
        tiers=tiers, trade=quality.trade, second=quality.second, annoyance=quality.annoyance, mix=quality.mix
    )


def _gain(route: RouteSettings, calibration: Artefact | None) -> Gain:
    learned = {} if calibration is None else {"keeps": calibration.gain.q1, "rescues": calibration.gain.q0}
    given = {name: value for name, value in to_builtins(route.gain).items() if value is not None}
    # Beyond the deadline nothing is decided early; without one, the bar may rise for ever.
    horizon = route.decision_deadline if route.gain.reading or math.isfinite(route.decision_deadline) else 0.0
    return Gain(**{**learned, **given}, horizon=horizon)


def _at(values: tuple[float, ...], index: int) -> float:
    """The last is repeated; the first tier (-1), which nothing is below, has the first tier's."""
    return values[min(max(index, 0), len(values) - 1)]
