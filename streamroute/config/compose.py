"""Settings to routers: the composition root that the gateway and the command line share."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from msgspec import to_builtins

from streamroute.calibration.artefact import Artefact
from streamroute.calibration.pacing import Pace
from streamroute.config.agreement import agreement
from streamroute.config.binding import asked_with, calibration_of
from streamroute.config.pace import pace_of
from streamroute.config.settings import LocalSettings, PrerouterSettings, RouteSettings, Settings, UpstreamSettings
from streamroute.core.hedge import HedgeRule
from streamroute.core.plan import AutoRelease
from streamroute.core.types import Decision, Delta, Release
from streamroute.errors import ConfigError
from streamroute.routing.prerouter import RULES, PreRouter, Step
from streamroute.routing.router import Price, ProbePlan, Router, Tier
from streamroute.routing.shadow import Shadow
from streamroute.uncertainty.base import EntailmentModel, Scorer
from streamroute.uncertainty.combine import most_probes
from streamroute.upstreams.base import ChatRequest, Upstream
from streamroute.upstreams.relay import RelayedReply, Relays

if TYPE_CHECKING:
    from streamroute.upstreams.local import LocalUpstream

__all__ = ("ServedRoute", "compose")


@dataclass(frozen=True, slots=True)
class ServedRoute:
    """A route that is ready to be asked: its router, and the settings it was made from. `pace` is what its threshold
    follows, and holds the drift alarm; `shadow` answers some requests again, to label records."""

    settings: RouteSettings
    router: Router
    pace: Pace | None = None
    shadow: Shadow | None = None


@asynccontextmanager
async def compose(
    settings: Settings, *, routes: Collection[str] | None = None, scorer: Scorer | None = None
) -> AsyncGenerator[Mapping[str, ServedRoute]]:
    """Open the named routes, or all of them; leaving the context closes every model and the judge.

    Routes share the upstreams that they have in common, and one judge: `scorer`, or the bundled NLI model, loaded only
    where a route judges, its score by each route's calibration. Raises `ConfigError` for an environment variable or a
    model that is not there and a calibration that is not of its route, `ModelFileError` for a model file that is not
    what it should be.
    """
    chosen = [route for route in settings.routes if routes is None or route.name in routes]
    calibrations = {route.name: calibration_of(settings, route) for route in chosen}
    async with AsyncExitStack() as stack:
        model: EntailmentModel | None = None
        if scorer is None and any(_judges(route) for route in chosen):
            from streamroute.nli.judge import bundled_model

            model = await stack.enter_async_context(bundled_model())
        judged = {tier for route in chosen if _judges(route) for tier in route.tiers[:-1]}
        upstreams: dict[str, _Shared] = {}
        for name in dict.fromkeys(tier for route in chosen for tier in route.tiers):
            upstream = _upstream(settings.upstream(name))
            stack.push_async_callback(upstream.aclose)
            if isinstance(settings.upstream(name), LocalSettings):
                # Loaded now: a missing file is a reason not to start, and no request should wait for it.
                await cast("LocalUpstream", upstream).start(probes=name in judged)
            upstreams[name] = _SharedRelay(upstream, upstream) if isinstance(upstream, Relays) else _Shared(upstream)
        served = {}
        for route in chosen:
            tiers = [
                _tier(settings.upstream(name), upstreams[name], route, last=name == route.tiers[-1])
                for name in route.tiers
            ]
            artefact = calibrations[route.name]
            pace = pace_of(settings, route, artefact)
            judge = _judge(model, route, artefact) if model is not None and _judges(route) else scorer
            router = await stack.enter_async_context(_router(route, tiers, judge, pace))
            shadow = None
            if route.shadow and judge is not None and _judges(route):
                shadow = Shadow(tiers, judge, agreement(model))
            served[route.name] = ServedRoute(route, router, pace, shadow)
        yield served


class _Shared:
    """An upstream that several routers hold, closed by none of them."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self.name = upstream.name
        self.model = upstream.model
        self.supports_n = upstream.supports_n

    def stream(self, request: ChatRequest) -> AbstractAsyncContextManager[AsyncIterator[Delta]]:
        return self._upstream.stream(request)

    async def aclose(self) -> None:
        pass


class _SharedRelay(_Shared):
    """One whose bytes can be passed on."""

    def __init__(self, upstream: Upstream, relays: Relays) -> None:
        super().__init__(upstream)
        self._relays = relays
        self.serves = relays.serves
        self.tells_usage = relays.tells_usage

    def relay(self, endpoint: str, document: Mapping[str, Any]) -> AbstractAsyncContextManager[RelayedReply]:
        return self._relays.relay(endpoint, document)


def _upstream(settings: UpstreamSettings) -> Upstream:
    if isinstance(settings, LocalSettings):
        return _local(settings)
    from streamroute.upstreams.openai import OpenAIUpstream, Timeouts

    api_key = None
    if settings.api_key_env is not None:
        api_key = os.environ.get(settings.api_key_env)
        if not api_key:
            raise ConfigError(
                f"upstream {settings.name}: api_key_env: the environment variable {settings.api_key_env} is not set"
            )
    timeouts = settings.timeouts
    return OpenAIUpstream(
        name=settings.name,
        base_url=settings.base_url,
        model=settings.model,
        api_key=api_key,
        supports_n=settings.supports_n,
        include_usage=settings.include_usage,
        serves=settings.serves,
        timeouts=Timeouts(
            connect=timeouts.connect, first=timeouts.first, between=timeouts.between, total=timeouts.total
        ),
    )


def _local(settings: LocalSettings) -> LocalUpstream:
    from streamroute.models.store import path_of
    from streamroute.upstreams.local import LocalUpstream

    more: dict[str, Any] = {} if settings.context is None else {"context": settings.context}
    if settings.model is not None:
        return LocalUpstream.from_manifest(settings.model, name=settings.name, threads=settings.threads, **more)
    file = Path(settings.file or "")
    return LocalUpstream(
        lambda: path_of(str(file)), name=settings.name, model=file.name, threads=settings.threads, **more
    )


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
    )


def _prerouter(settings: PrerouterSettings | None) -> PreRouter | None:
    if settings is None:
        return None
    steps = {name: Step(step) for name in RULES if (step := getattr(settings, name)) != "off"}
    return PreRouter(steps, long_characters=settings.long_characters)


def _finite(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds


def _tier(settings: UpstreamSettings, upstream: Upstream, route: RouteSettings, *, last: bool) -> Tier:
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
    )
