"""What clients may ask for, and what a request becomes: which tier, judged or not, shown how."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from streamroute.config.compose import ServedRoute
from streamroute.core.types import Release
from streamroute.errors import BadRequestError
from streamroute.gateway.access.auth import Client
from streamroute.gateway.errors import refusal
from streamroute.gateway.options import header_of, with_headers
from streamroute.upstreams.relay import Relays
from streamroute.wire.openai import ClientRequest, RouteOptions

__all__ = ("Assignment", "Catalogue", "unjudgeable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """How a request will be served. `on_escalation` is what `auto` may do to a shown answer, None where the client did
    not say. `unjudged` says why the answer is not judged, None when it is; `passes`, that it is not and that every tier
    that may have to answer can give its bytes. With `trace` a stream tells how it comes about."""

    served: ServedRoute
    start_tier: int
    release: Release
    on_escalation: Release | None = None
    unjudged: str | None
    trace: bool = False
    passes: bool = False

    @property
    def judge(self) -> bool:
        return self.unjudged is None


class Catalogue:
    """The routes by their names, and each of their tiers by its own."""

    def __init__(self, routes: Mapping[str, ServedRoute]) -> None:
        self._routes: dict[str, ServedRoute] = {}
        self._tiers: dict[str, tuple[ServedRoute, int]] = {}
        # The endpoints of each tier that can give its bytes; None for the others. Asked once: to ask takes long.
        self._endpoints: dict[str, list[Collection[str] | None]] = {}
        self.replace(routes)

    def replace(self, routes: Mapping[str, ServedRoute]) -> None:
        """From now on there are these; what is assigned already keeps its own."""
        tiers: dict[str, tuple[ServedRoute, int]] = {}
        endpoints: dict[str, list[Collection[str] | None]] = {}
        for served in routes.values():
            for index, name in enumerate(served.settings.tiers):
                tiers.setdefault(name, (served, index))
            upstreams = [tier.upstream for tier in served.router.tiers]
            endpoints[served.settings.name] = [u.serves if isinstance(u, Relays) else None for u in upstreams]
        self._routes, self._tiers, self._endpoints = dict(routes), tiers, endpoints

    @property
    def routes(self) -> tuple[ServedRoute, ...]:
        return tuple(self._routes.values())

    def models(self, client: Client) -> list[dict[str, Any]]:
        """The names that `client` may ask for, as `/v1/models` lists them: routes first."""
        routes = [
            {"id": name, "streamroute": {"kind": "route", "tiers": list(served.settings.tiers)}}
            for name, served in self._routes.items()
        ]
        tiers = [
            {"id": name, "streamroute": {"kind": "tier", "model": served.router.tiers[index].upstream.model}}
            for name, (served, index) in self._tiers.items()
        ]
        return [
            {"object": "model", "created": 0, "owned_by": "streamroute", **model}
            for model in routes + tiers
            if client.may_ask(str(model["id"]))
        ]

    def assign(self, request: ClientRequest, headers: Mapping[str, str], client: Client) -> Assignment:
        """Raises `RefusedError` for a model that is not here, which tells `client` of no name that it may not ask for,
        and `BadRequestError` for options that make no sense."""
        options = with_headers(request.options, headers)
        client.require(request.model, options.tier)
        unjudged = "asked" if options.judge is False else None
        if request.model in self._tiers:
            served, start = self._tiers[request.model]
            unjudged = "tier_asked"
        else:
            served, start = self._route(request.model, client), 0
            reason = unjudgeable(request)
            if reason is not None:
                unjudged, start = reason, served.settings.unjudged_index
        if options.tier is not None:
            start = _tier_index(served, options.tier, _said_by("tier", request))
        if request.n > 1 and not served.router.tiers[start].upstream.supports_n:
            name = served.settings.tiers[start]
            raise BadRequestError(f"n: {name!r} gives one answer at a time", param="n", code="unsupported_value")
        if unjudged is None and served.router.prerouter is None and served.router.plan.schedule(start) is None:
            unjudged = "not_probed"
        endpoints = self._endpoints[served.settings.name][start:]
        if endpoints[0] is not None and "chat" not in endpoints[0]:
            raise _not_served(request.model, "chat")
        release = options.release or served.settings.release
        return Assignment(
            served=served,
            start_tier=start,
            release=release,
            on_escalation=_on_escalation(release, options, _said_by("on_escalation", request)),
            unjudged=unjudged,
            trace=options.trace,
            # What is passed on as bytes cannot be gone on with by another tier.
            passes=unjudged is not None
            and served.router.plan.on_break == "fail"
            and all(has is not None and "chat" in has for has in endpoints),
        )

    def serving(self, model: str, endpoint: str, client: Client) -> Assignment:
        """For what is never judged: the tier of that name, or the first of the route's, that has the endpoint. Raises
        `RefusedError` where there is none."""
        client.require(model)
        if model in self._tiers:
            served, only = self._tiers[model]
            candidates, unjudged = [only], "tier_asked"
        else:
            served, unjudged = self._route(model, client), endpoint
            candidates = list(range(len(served.router.tiers)))
        for index in candidates:
            if endpoint in (self._endpoints[served.settings.name][index] or ()):
                return Assignment(
                    served=served,
                    start_tier=index,
                    release=served.settings.release,
                    unjudged=unjudged,
                    passes=True,
                )
        raise _not_served(model, endpoint)

    def known(self, model: str, client: Client) -> Mapping[str, Any]:
        """One of `models`. Raises `RefusedError` when it is not there."""
        for entry in self.models(client):
            if entry["id"] == model:
                return entry
        raise self._unknown(model, client)

    def _route(self, model: str, client: Client) -> ServedRoute:
        try:
            return self._routes[model]
        except KeyError:
            raise self._unknown(model, client) from None

    def _unknown(self, model: str, client: Client) -> Exception:
        names = [name for name in (*self._routes, *self._tiers) if client.may_ask(name)]
        close = difflib.get_close_matches(model, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there is {', '.join(names)}"
        return refusal(404, f"the model {model!r} does not exist; {hint}", code="model_not_found", param="model")


def _not_served(model: str, endpoint: str) -> Exception:
    message = f"the model {model!r} does not serve {endpoint}"
    return refusal(404, message, code="endpoint_not_served", param="model")


def unjudgeable(request: ClientRequest) -> str | None:
    """Why samples of this request cannot be compared by meaning; None when they can."""
    params = request.params
    if params.get("tools") or params.get("functions"):
        return "tools"
    if any(
        m["role"] in ("tool", "function") or m.get("tool_calls") or m.get("function_call") for m in request.messages
    ):
        return "tool_messages"
    if request.n > 1:
        return "n"
    if request.has_media or params.get("audio") or "audio" in (params.get("modalities") or ()):
        return "media"
    response_format = params.get("response_format")
    if response_format and response_format.get("type") != "text":
        return "response_format"
    return None


def _on_escalation(release: Release, options: RouteOptions, said_by: str) -> Release | None:
    if options.on_escalation is None:
        return None
    if release is not Release.AUTO:
        raise BadRequestError(
            f"{said_by} goes with the release mode auto, not with {release}", param=said_by, code="invalid_value"
        )
    return Release(options.on_escalation)


def _tier_index(served: ServedRoute, name: str, said_by: str) -> int:
    tiers = served.settings.tiers
    if name not in tiers:
        raise BadRequestError(
            f"{said_by}: {name!r} is not a tier of {served.settings.name!r}; there is {', '.join(tiers)}",
            param=said_by,
            code="invalid_value",
        )
    return tiers.index(name)


def _said_by(field: str, request: ClientRequest) -> str:
    """The body's field, or else the header, that an option came by."""
    return header_of(field) if getattr(request.options, field) is None else f"streamroute.{field}"
