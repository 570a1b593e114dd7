"""What `streamroute check` finds: whether a configuration that can be read can also be served, and is worth it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from importlib.util import find_spec

from streamroute.config.deciding import deciding
from streamroute.config.findings import Finding, Severity
from streamroute.config.secrets import others_may_read, secret
from streamroute.config.settings import LocalSettings, OpenAISettings, Settings
from streamroute.config.worth import worth
from streamroute.errors import ConfigError, ModelFileError
from streamroute.models.store import path_of
from streamroute.nli.manifest import chosen_model

__all__ = ("Finding", "Severity", "check")


async def check(settings: Settings, *, reach: bool = False) -> list[Finding]:
    """Look at everything that serving `settings` needs. With `reach`, ask each OpenAI-compatible server whether it is
    there, which sends it one request without a prompt."""
    findings = [*_environment(settings), *_consistency(settings)]
    for upstream in settings.upstreams:
        if isinstance(upstream, LocalSettings):
            findings.append(await asyncio.to_thread(_model_file, upstream))
        elif reach:
            findings.append(await _reach(upstream))
    if any(len(route.tiers) > 1 and route.probes.count for route in settings.routes):
        findings.append(await asyncio.to_thread(_judge))
    for route in settings.routes:
        findings.extend(deciding(settings, route))
        findings.extend(worth(settings, route))
    return findings


def _environment(settings: Settings) -> Iterator[Finding]:
    wanted: list[tuple[str, str | None, str | None]] = [("server", settings.server.api_key_env, None)]
    asked = [upstream for upstream in settings.upstreams if isinstance(upstream, OpenAISettings)]
    wanted += [(f"upstream {upstream.name}", upstream.api_key_env, upstream.api_key_file) for upstream in asked]
    for subject, name, file in wanted:
        if name is not None:
            if os.environ.get(name):
                yield Finding(Severity.OK, subject, f"its key is in ${name}")
            else:
                yield Finding(Severity.ERROR, subject, f"the environment variable {name}, its api_key_env, is not set")
        elif file is not None:
            yield _key_file(subject, file)
    if settings.server.otel is not None and not all(map(find_spec, ("opentelemetry", "opentelemetry.exporter"))):
        yield Finding(Severity.ERROR, "server.otel", "needs the extra `otel`: pip install 'streamroute[otel]'")
    if (
        settings.server.api_key_env is None
        and not settings.keys
        and settings.server.host not in ("127.0.0.1", "::1", "localhost")
    ):
        yield Finding(
            Severity.WARNING,
            "server",
            f"open to everyone who reaches {settings.server.host}: neither api_key_env nor a [[key]] is set",
        )


def _key_file(subject: str, file: str) -> Finding:
    try:
        secret(subject, env=None, file=file)
    except ConfigError as error:
        return Finding(Severity.ERROR, subject, str(error).removeprefix(f"{subject}: "))
    if others_may_read(file):
        return Finding(Severity.WARNING, subject, f"everyone on this machine may read {file}, its api_key_file")
    return Finding(Severity.OK, subject, f"its key is in {file}")


def _consistency(settings: Settings) -> Iterator[Finding]:
    used = {tier for route in settings.routes for tier in route.tiers}
    for upstream in settings.upstreams:
        if upstream.name not in used:
            yield Finding(Severity.WARNING, f"upstream {upstream.name}", "no route uses it")
    for route in settings.routes:
        subject = f"route {route.name}"
        if len(route.tiers) == 1:
            yield Finding(Severity.WARNING, subject, "has one tier: there is nothing to escalate to")
        elif route.probes.count == 0:
            yield Finding(
                Severity.WARNING, subject, f"probes.count = 0: the first tier, {route.tiers[0]}, is never judged"
            )
        else:
            yield Finding(Severity.OK, subject, " -> ".join(route.tiers))
        if route.hedge_after >= route.decision_deadline and route.hedge_after != float("inf"):
            yield Finding(Severity.WARNING, subject, "hedge_after is not before decision_deadline: it never hedges")


def _model_file(upstream: LocalSettings) -> Finding:
    subject = f"upstream {upstream.name}"
    try:
        path = path_of(upstream.model or upstream.file or "")
    except (ConfigError, ModelFileError) as error:
        return Finding(Severity.ERROR, subject, str(error))
    return Finding(Severity.OK, subject, f"{path} {'is verified' if upstream.model else 'is there'}")


def _judge() -> Finding:
    """All of its bytes are looked at, which takes some 20 ms; loading it takes many times that."""
    try:
        chosen_model().verified()
    except ModelFileError as error:
        return Finding(Severity.ERROR, "judge", str(error))
    return Finding(Severity.OK, "judge", "its files are verified")


async def _reach(upstream: OpenAISettings) -> Finding:
    import aiohttp

    subject, url = f"upstream {upstream.name}", f"{upstream.base_url.rstrip('/')}/models"
    try:
        key = secret(subject, env=upstream.api_key_env, file=upstream.api_key_file)
    except ConfigError as error:
        return Finding(Severity.ERROR, subject, f"{url} is not asked: {error}")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        timeout = aiohttp.ClientTimeout(total=2 * upstream.timeouts.connect, connect=upstream.timeouts.connect)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, headers=headers) as response:
            status = response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        return Finding(Severity.ERROR, subject, f"{url} cannot be reached: {error or 'it took too long'}")
    if status in (401, 403):
        return Finding(Severity.ERROR, subject, f"{url} refuses the key (status {status})")
    # A server may have no such page; that it answered is what was asked.
    return Finding(Severity.OK, subject, f"{url} answers (status {status})")
