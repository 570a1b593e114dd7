"""The policy of a route, by its name in the configuration."""

from __future__ import annotations

from streamroute.config.economics import ANSWER_TOKENS, PROMPT_TOKENS
from streamroute.config.settings import RouteSettings, Settings
from streamroute.core.policy import Policy, Threshold
from streamroute.core.selection import Candidate, CascadeRouting, LinearLink
from streamroute.errors import ConfigError
from streamroute.routing.tiers import Price
from streamroute.uncertainty.stopping import ESC, AdaptiveConsistency, Costs, Sprt, StoppingTable
from streamroute.uncertainty.stopping.chances import chance_of_score

__all__ = ("policy_of",)


def policy_of(settings: Settings, route: RouteSettings, *, limit: float | None = None) -> Policy:
    """The policy that escalates above `limit`, by default the route's threshold. Raises `ConfigError` for parameters of
    which its policy cannot be made."""
    try:
        return _policy(settings, route, route.threshold if limit is None else limit)
    except ValueError as error:
        raise ConfigError(f"route {route.name}: policy {route.policy}: {error}") from error


def _policy(settings: Settings, route: RouteSettings, limit: float) -> Policy:
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
        case "cascade-routing":
            return _cascade_routing(settings, route)
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


def _at(values: tuple[float, ...], index: int) -> float:
    """The last is repeated; the first tier (-1), which nothing is below, has the first tier's."""
    return values[min(max(index, 0), len(values) - 1)]
