"""TOML to settings, strictly: every complaint names the file, the key and what was expected there."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from streamroute.config.settings import (
    KeySettings,
    LocalSettings,
    OpenAISettings,
    RouteSettings,
    ServerSettings,
    Settings,
    UpstreamSettings,
)
from streamroute.config.strict import ComplaintError, nearest, strictly
from streamroute.errors import ConfigError

__all__ = ("embedded", "load", "loads", "serving")


def load(path: str | Path) -> Settings:
    """Read a configuration file. Relative paths in it are relative to its folder.

    Raises `ConfigError` when it cannot be read, is not TOML, or says something that cannot be meant.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return loads(text, source=str(path), folder=path.parent)


def loads(text: str, *, source: str = "<config>", folder: Path = Path()) -> Settings:
    """`load` for a text; `source` is what errors call it."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not valid TOML: {error}") from error
    try:
        settings = strictly(raw, Settings)
        _check_sense(settings)
    except ComplaintError as complaint:
        raise ConfigError(f"{source}: {complaint}") from None
    return msgspec.structs.replace(
        settings,
        server=_placed(settings.server, folder),
        upstreams=tuple(_anchored(one, folder) for one in settings.upstreams),
        routes=tuple(_calibrated(one, folder) for one in settings.routes),
    )


def embedded() -> Settings:
    """What is served when there is no configuration: the two embedded local tiers as the route `streamroute`."""
    name = "embedded.toml"
    return loads(resources.files("streamroute.config").joinpath(name).read_text(encoding="utf-8"), source=name)


def serving(settings: Settings, **server: Any) -> Settings:
    """`settings` with these of its [server] instead. Raises `ConfigError` where they make no sense together."""
    changed = msgspec.structs.replace(settings, server=msgspec.structs.replace(settings.server, **server))
    try:
        _check_workers(changed.server)
    except ComplaintError as complaint:
        raise ConfigError(str(complaint)) from None
    return changed


def _anchored(upstream: UpstreamSettings, folder: Path) -> UpstreamSettings:
    if isinstance(upstream, LocalSettings) and upstream.file is not None:
        return msgspec.structs.replace(upstream, file=_beside(upstream.file, folder))
    if isinstance(upstream, OpenAISettings):
        return msgspec.structs.replace(upstream, api_key_file=_beside(upstream.api_key_file, folder))
    return upstream


def _calibrated(route: RouteSettings, folder: Path) -> RouteSettings:
    return msgspec.structs.replace(route, calibration=_beside(route.calibration, folder))


def _placed(server: ServerSettings, folder: Path) -> ServerSettings:
    named = ("records_file", "feedback_file", "ledger_file")
    return msgspec.structs.replace(server, **{name: _beside(getattr(server, name), folder) for name in named})


def _beside(name: str | None, folder: Path) -> str | None:
    return None if name is None else str(folder / Path(name).expanduser())


def _check_workers(server: ServerSettings) -> None:
    if server.workers > 1 and server.ledger_file is None:
        raise ComplaintError(
            f"server.workers: {server.workers} processes need a `ledger_file` under [server]: they share what is spent"
        )


def _check_sense(settings: Settings) -> None:
    _check_workers(settings.server)
    names: dict[str, str] = {}
    for index, upstream in enumerate(settings.upstreams):
        path = f"upstream[{index}]"
        _claim(names, upstream.name, f"{path}.name")
        if isinstance(upstream, LocalSettings) and (upstream.model is None) == (upstream.file is None):
            raise ComplaintError(f"{path}: a local upstream needs either `model` or `file`")
        if isinstance(upstream, OpenAISettings) and upstream.api_key_env and upstream.api_key_file:
            raise ComplaintError(f"{path}: either `api_key_env` or `api_key_file`, not both")
    tiers = tuple(names)
    if not settings.routes:
        raise ComplaintError("no [[route]]: at least one is needed")
    for index, route in enumerate(settings.routes):
        path = f"route[{index}]"
        _claim(names, route.name, f"{path}.name")
        _check_tiers(route, tiers, path)
        _check_chat(route, settings, path)
        _check_pace(route, path)
        if route.on_break == "continue" and not any(settings.upstream(name).prefill for name in route.tiers[1:]):
            raise ComplaintError(f"{path}.on_break: none of its larger tiers has `prefill`, to go on with")
        if route.shadow and settings.server.records_file is None:
            raise ComplaintError(f"{path}.shadow: its records need a `records_file` under [server]")
    _check_keys(settings.keys, tuple(names))


def _check_tiers(route: RouteSettings, known: tuple[str, ...], path: str) -> None:
    for index, tier in enumerate(route.tiers):
        if tier not in known:
            hint = nearest(tier, known) or f"; there is {', '.join(known) or 'none'}"
            raise ComplaintError(f"{path}.tiers[{index}]: no upstream is called {tier!r}{hint}")
        if tier in route.tiers[:index]:
            raise ComplaintError(f"{path}.tiers[{index}]: {tier!r} stands here twice")
    if route.unjudged_tier is not None and route.unjudged_tier not in route.tiers:
        raise ComplaintError(f"{path}.unjudged_tier: {route.unjudged_tier!r} is not one of the route's tiers")
    if route.probes.wave is not None and route.probes.wave > max(route.probes.count, 1):
        raise ComplaintError(
            f"{path}.probes.wave: {route.probes.wave} is more than probes.count = {route.probes.count}"
        )


def _check_chat(route: RouteSettings, settings: Settings, path: str) -> None:
    """Every tier of a route may have to answer for another; one alone may be there for its embeddings."""
    for index, name in enumerate(route.tiers if len(route.tiers) > 1 else ()):
        upstream = settings.upstream(name)
        if isinstance(upstream, OpenAISettings) and "chat" not in upstream.serves:
            raise ComplaintError(f'{path}.tiers[{index}]: {name!r} does not serve "chat"; give it a route of its own')


def _check_keys(keys: tuple[KeySettings, ...], known: tuple[str, ...]) -> None:
    for index, key in enumerate(keys):
        path = f"key[{index}]"
        for other, before in enumerate(keys[:index]):
            if key.name == before.name:
                raise ComplaintError(f"{path}.name: {key.name!r} is already the name of key[{other}]")
            if key.hash == before.hash:
                raise ComplaintError(f"{path}.hash: is that of key[{other}], {before.name!r}, too")
        for position, route in enumerate(key.routes):
            if route not in known:
                hint = nearest(route, known) or f"; there is {', '.join(known)}"
                raise ComplaintError(f"{path}.routes[{position}]: no route or upstream is called {route!r}{hint}")


def _check_pace(route: RouteSettings, path: str) -> None:
    if route.escalation_rate is not None and route.spend_per_request is not None:
        raise ComplaintError(f"{path}: either `escalation_rate` or `spend_per_request`, not both")
    if route.spend_per_request is not None and route.calibration is None:
        raise ComplaintError(f"{path}.spend_per_request: needs a `calibration`, which says what an escalation is worth")


def _claim(names: dict[str, str], name: str, path: str) -> None:
    if name in names:
        raise ComplaintError(f"{path}: {name!r} is already the name at {names[name]}; clients ask for both by name")
    names[name] = path
