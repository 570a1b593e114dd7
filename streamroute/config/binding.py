"""What a calibration of a route depends on, and whether a given one is of this route."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from streamroute.calibration.artefact import Artefact, Binding, read_artefact
from streamroute.config.settings import LocalSettings, RouteSettings, Settings, UpstreamSettings
from streamroute.errors import ConfigError
from streamroute.nli.manifest import bundled_manifest, read_manifest
from streamroute.uncertainty.clustering import Rule

__all__ = ("THETA", "asked_with", "binding_of", "calibration_of", "stopping_of")

RULE, THETA = Rule.PROBABILITY, 0.5
"""Of the judge as routes compose it."""


def binding_of(settings: Settings, route: RouteSettings) -> Binding:
    """Raises `ModelFileError` where there is no bundled judge, `ConfigError` for a model that no manifest knows."""
    cheap, *larger = (settings.upstream(name) for name in route.tiers)
    models, default = read_manifest(bundled_manifest())
    params, system = asked_with(cheap)
    asked = {"params": dict(params), "system": system, "probe_params": dict(route.probes.params)}
    if route.probes.suffix:
        asked["probe_suffix"] = route.probes.suffix
    if route.probes.until != "end":
        asked["probe_until"] = route.probes.until
    return Binding(
        cheap=_model(cheap),
        large=" > ".join(map(_model, larger)),
        probes=route.probes.count,
        max_tokens=route.probes.max_tokens,
        temperature=route.probes.temperature,
        rule=str(RULE),
        theta=THETA,
        judge_sha256=models[default].sha256,
        stopping=stopping_of(route),
        answer_sha256=hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest(),
    )


def stopping_of(route: RouteSettings) -> str:
    """When verdicts fall: with certified bounds they are those that all probes would have given, whatever the limit or
    what is weighed."""
    if route.policy in ("threshold", "cascade-routing", "gain"):
        return "certified"
    return f"{route.policy} {json.dumps(to_builtins(route.stopping), sort_keys=True)}"


def calibration_of(settings: Settings, route: RouteSettings) -> Artefact | None:
    """The artefact that the route names, None where it names none. Raises `ConfigError` for one that cannot be read,
    or was made for another route than this: says what differs."""
    if route.calibration is None:
        return None
    artefact = read_artefact(Path(route.calibration))
    differences = artefact.binding.differences(binding_of(settings, route))
    if differences:
        raise ConfigError(
            f"route {route.name}: calibration {route.calibration} is not of this route: {'; '.join(differences)}"
        )
    return artefact


def asked_with(upstream: UpstreamSettings) -> tuple[Mapping[str, Any], str | None]:
    """The fixed parameters and the system prompt of a model, with those of its manifest. Raises `ConfigError` for a
    model that is not in it."""
    params, system = upstream.params, upstream.system
    if not isinstance(upstream, LocalSettings) or upstream.model is None:
        return params, system
    from streamroute.models.manifest import load_manifest

    manifest = load_manifest()
    if upstream.model not in manifest:
        raise ConfigError(f"upstream {upstream.name}: there is no model {upstream.model!r}")
    entry = manifest[upstream.model]
    return {**entry.params, **params}, entry.system if system is None else system


def _model(upstream: UpstreamSettings) -> str:
    if isinstance(upstream, LocalSettings):
        return upstream.model or Path(upstream.file or "").name
    return upstream.model
