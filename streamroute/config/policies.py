"""The policy that a route's settings name."""

from __future__ import annotations

from streamroute.config.economics import ANSWER_TOKENS, PROMPT_TOKENS
from streamroute.config.settings import RouteSettings, Settings
from streamroute.core.policy import Policy, Threshold
from streamroute.core.selection import Candidate, CascadeRouting, LinearLink
from streamroute.errors import ConfigError
from streamroute.routing.tiers import Price

__all__ = ("policy_of",)


def policy_of(settings: Settings, route: RouteSettings) -> Policy:
    """Raises `ConfigError` where cascade routing has no prices to weigh or numbers that make no sense."""
    if route.policy == "threshold":
        return Threshold(route.threshold)
    prices = [settings.upstream(name).price for name in route.tiers]
    money = [Price(prompt=p.prompt, completion=p.completion).of(PROMPT_TOKENS, ANSWER_TOKENS) for p in prices]
    if not max(money) > 0:
        raise ConfigError(f"route {route.name}: policy = 'cascade-routing' needs the `price` of its tiers")
    quality = route.quality
    for name in ("right", "wrong", "delay"):
        given = len(getattr(quality, name))
        if given > max(1, len(money) - 1):
            raise ConfigError(
                f"route {route.name}: quality.{name}: {given} numbers for {len(money) - 1} tiers after the first"
            )
    try:
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
    except ValueError as error:
        raise ConfigError(f"route {route.name}: quality: {error}") from None


def _at(values: tuple[float, ...], index: int) -> float:
    """The last is repeated; the first tier (-1), which nothing is below, has the first tier's."""
    return values[min(max(index, 0), len(values) - 1)]
