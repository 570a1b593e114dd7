"""The policy of a route, by its name in the configuration."""

from __future__ import annotations

from streamroute.config.settings import RouteSettings
from streamroute.core.policy import Policy, Threshold
from streamroute.errors import ConfigError
from streamroute.uncertainty.stopping import ESC, AdaptiveConsistency, Costs, Sprt, StoppingTable
from streamroute.uncertainty.stopping.chances import chance_of_score

__all__ = ("policy_of",)


def policy_of(route: RouteSettings, *, limit: float | None = None) -> Policy:
    """The policy that escalates above `limit`, by default the route's threshold. Raises `ConfigError` for parameters of
    which its policy cannot be made."""
    try:
        return _policy(route, route.threshold if limit is None else limit)
    except ValueError as error:
        raise ConfigError(f"route {route.name}: policy {route.policy}: {error}") from error


def _policy(route: RouteSettings, limit: float) -> Policy:
    stopping = route.stopping
    match route.policy:
        case "threshold":
            return Threshold(limit)
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
