"""Settings to routers: the composition root that the gateway and the command line share."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from msgspec import to_builtins

from streamroute.calibration.artefact import Artefact
from streamroute.calibration.pacing import Pace
from streamroute.config.agreement import agreement
from streamroute.config.binding import asked_with, calibration_of
from streamroute.config.pace import pace_of
from streamroute.config.pool import Pool
from streamroute.config.settings import PrerouterSettings, RouteSettings, Settings, UpstreamSettings
from streamroute.core.hedge import HedgeRule
from streamroute.core.plan import AutoRelease
from streamroute.core.types import Decision, Release
from streamroute.routing.billing import CancelBilling
from streamroute.routing.prerouter import RULES, PreRouter, Step
from streamroute.routing.router import Price, ProbePlan, Router, Tier
from streamroute.routing.shadow import Shadow
from streamroute.uncertainty.base import EntailmentModel, Scorer
from streamroute.uncertainty.combine import most_probes
from streamroute.upstreams.base import Upstream

__all__ = ("ServedRoute", "compose")


@dataclass(frozen=True, slots=True)
class ServedRoute:
    """A route that is ready to be asked: its router, and the settings it was made from. `pace` is what its threshold
    follows, and holds the drift alarm; `shadow` answers some requests again, to label records. `made_of` is all that
    the pace depends on."""

    settings: RouteSettings
    router: Router
    pace: Pace | None = None
    shadow: Shadow | None = None
    made_of: object = None


@asynccontextmanager
async def compose(
    settings: Settings,
    *,
    routes: Collection[str] | None = None,
    scorer: Scorer | None = None,
    pool: Pool | None = None,
    before: Mapping[str, ServedRoute] | None = None,
) -> AsyncGenerator[Mapping[str, ServedRoute]]:
    """Open the named routes, or all of them; leaving the context closes every model and the judge, but those of a
    `pool` that others hold.

    Routes share the upstreams that they have in common, and one judge: `scorer`, or the bundled NLI model, loaded only
    where a route judges, its score by each route's calibration. A route that is what it was `before` goes on with what
    its threshold has learned. Raises `ConfigError` for an environment variable or a model that is not there and a
    calibration that is not of its route, `ModelFileError` for a model file that is not what it should be.
    """
    chosen = [route for route in settings.routes if routes is None or route.name in routes]
    calibrations = {route.name: calibration_of(settings, route) for route in chosen}
    async with AsyncExitStack() as stack:
        if pool is None:
            pool = await stack.enter_async_context(Pool())
        model: EntailmentModel | None = None
        if scorer is None and any(_judges(route) for route in chosen):
            model = await pool.judge()
        judged = {tier for route in chosen if _judges(route) for tier in route.tiers[:-1]}
        upstreams: dict[str, Upstream] = {}
        billing: dict[str, CancelBilling] = {}
        for name in dict.fromkeys(tier for route in chosen for tier in route.tiers):
            held = pool.upstream(
                settings.upstream(name), probes=name in judged, most=settings.server.limits.reply_bytes
            )
            upstreams[name] = await stack.enter_async_context(held)
            billing[name] = CancelBilling(getattr(settings.upstream(name), "cancel_billing", "generated"))
        served = {}
        for route in chosen:
            tiers = [
                _tier(settings.upstream(name), upstreams[name], billing[name], route, last=name == route.tiers[-1])
                for name in route.tiers
            ]
            artefact = calibrations[route.name]
            made_of = (route, artefact, tuple(settings.upstream(name) for name in route.tiers))
            was = (before or {}).get(route.name)
            kept = None if was is None or was.made_of != made_of else was.pace
            pace = kept or pace_of(settings, route, artefact)
            judge = _judge(model, route, artefact) if model is not None and _judges(route) else scorer
            router = await stack.enter_async_context(_router(route, tiers, judge, pace))
            shadow = None
            if route.shadow and judge is not None and _judges(route):
                shadow = Shadow(tiers, judge, agreement(model))
            served[route.name] = ServedRoute(route, router, pace, shadow, made_of)
        yield served


def _judges(route: RouteSettings) -> bool:
    return len(route.tiers) > 1 and route.probes.count > 0


def _judge(model: EntailmentModel, route: RouteSettings, artefact: Artefact | None) -> Scorer:
    from streamroute.uncertainty.judge import SemanticEntropy

    combined = None if artefact is None else artefact.score.combined()
    more: dict[str, Any] = {} if combined is None else {"score": combined}
    return SemanticEntropy(model, most_probes=most_probes(route.probes.count), **more)


def _router(route: RouteSettings, tiers: list[Tier], scorer: Scorer | None, pace: Pace) -> Router:
    return Router(
        tiers,
        scorer=scorer,
        pacer=pace,
        prerouter=_prerouter(route.prerouter),
        release=route.release,
        decision_deadline=_finite(route.decision_deadline),
        on_timeout=Decision(route.on_timeout),
        on_uncertain=Decision(route.on_uncertain),
        hedge_after=_finite(route.hedge_after),
        hedge=None if route.hedge is None else HedgeRule(**to_builtins(route.hedge)),
        auto=AutoRelease(**{**to_builtins(route.auto), "on_escalation": Release(route.auto.on_escalation)}),
        insurance=route.insurance,
        closes_upstreams=False,  # they are the pool's
        on_break=route.on_break,
    )


def _prerouter(settings: PrerouterSettings | None) -> PreRouter | None:
    if settings is None:
        return None
    steps = {name: Step(step) for name in RULES if (step := getattr(settings, name)) != "off"}
    return PreRouter(steps, long_characters=settings.long_characters)


def _finite(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds


def _tier(
    settings: UpstreamSettings, upstream: Upstream, cancelled: CancelBilling, route: RouteSettings, *, last: bool
) -> Tier:
    params, system = asked_with(settings)
    probes = None
    if not last and _judges(route):
        probes = ProbePlan(
            count=route.probes.count,
            wave=route.probes.wave,
            after=route.probes.after,
            skip_confident=route.probes.skip_confident,
            max_tokens=route.probes.max_tokens,
            temperature=route.probes.temperature,
            params=route.probes.params,
            suffix=route.probes.suffix,
            until=route.probes.until,
        )
    price = Price(prompt=settings.price.prompt, completion=settings.price.completion)
    return Tier(
        upstream=upstream,
        name=settings.name,
        probes=probes,
        params=params,
        system=system,
        price=price,
        prefill=settings.prefill,
        cancelled=cancelled,
    )
