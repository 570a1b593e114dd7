"""What `streamroute check` finds: whether a configuration that can be read can also be served, and is worth it."""

from __future__ import annotations

import asyncio
import enum
import os
from collections.abc import Iterator
from dataclasses import dataclass

from streamroute.config.binding import calibration_of
from streamroute.config.economics import Expected, Probing, break_even, expectations
from streamroute.config.policies import policy_of
from streamroute.config.settings import LocalSettings, OpenAISettings, RouteSettings, Settings
from streamroute.errors import ConfigError, ModelFileError
from streamroute.models.store import path_of

__all__ = ("Finding", "Severity", "check")


class Severity(enum.StrEnum):
    """`ERROR`: cannot be served so. `WARNING`: can be, but is probably not what is meant. `OK`: looked at, fine."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    subject: str
    message: str


async def check(settings: Settings, *, reach: bool = False) -> list[Finding]:
    """Look at everything that serving `settings` needs. With `reach`, ask each OpenAI-compatible server whether it is
    there, which sends it one request without a prompt."""
    findings = [*_environment(settings), *_consistency(settings)]
    for upstream in settings.upstreams:
        if isinstance(upstream, LocalSettings):
            findings.append(await asyncio.to_thread(_model_file, upstream))
        elif reach:
            findings.append(await _reach(upstream))
    for route in settings.routes:
        findings.extend(_worth(settings, route))
        findings.extend(_calibration(settings, route))
    return findings


def _environment(settings: Settings) -> Iterator[Finding]:
    wanted = [("server", settings.server.api_key_env)]
    wanted += [(f"upstream {u.name}", u.api_key_env) for u in settings.upstreams if isinstance(u, OpenAISettings)]
    for subject, name in wanted:
        if name is not None:
            if os.environ.get(name):
                yield Finding(Severity.OK, subject, f"its key is in ${name}")
            else:
                yield Finding(Severity.ERROR, subject, f"the environment variable {name}, its api_key_env, is not set")
    if settings.server.api_key_env is None and settings.server.host not in ("127.0.0.1", "::1", "localhost"):
        yield Finding(
            Severity.WARNING, "server", f"open to everyone who reaches {settings.server.host}: no api_key_env is set"
        )


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
            yield _policy(settings, route)
        if route.hedge_after >= route.decision_deadline and route.hedge_after != float("inf"):
            yield Finding(Severity.WARNING, subject, "hedge_after is not before decision_deadline: it never hedges")


def _policy(settings: Settings, route: RouteSettings) -> Finding:
    subject = f"route {route.name}"
    try:
        policy_of(settings, route)
    except ConfigError as error:
        return Finding(Severity.ERROR, subject, str(error))
    weighs = route.policy == "cascade-routing"
    rule = f"trade {route.quality.trade:g}" if weighs else f"above {route.threshold:g} escalates"
    return Finding(Severity.OK, subject, f"policy {route.policy}, {rule}")


def _model_file(upstream: LocalSettings) -> Finding:
    subject = f"upstream {upstream.name}"
    try:
        path = path_of(upstream.model or upstream.file or "")
    except (ConfigError, ModelFileError) as error:
        return Finding(Severity.ERROR, subject, str(error))
    return Finding(Severity.OK, subject, f"{path} {'is verified' if upstream.model else 'is there'}")


async def _reach(upstream: OpenAISettings) -> Finding:
    import aiohttp

    subject, url = f"upstream {upstream.name}", f"{upstream.base_url.rstrip('/')}/models"
    key = os.environ.get(upstream.api_key_env or "", "")
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


def _calibration(settings: Settings, route: RouteSettings) -> Iterator[Finding]:
    subject = f"route {route.name}"
    try:
        artefact = calibration_of(settings, route)
    except (ConfigError, ModelFileError) as error:
        yield Finding(Severity.ERROR, subject, str(error).removeprefix(f"{subject}: "))
        return
    if artefact is not None:
        promise, threshold = artefact.certificate, artefact.threshold
        what = f"no certificate ({promise.reason})" if promise.kind == "none" else f"{promise.kind} certificate"
        yield Finding(
            Severity.OK,
            subject,
            f"calibrated on {artefact.created:%Y-%m-%d}: escalates above {threshold.tau:.3f}; {what}",
        )
        loose = [name for name in ("on_timeout", "on_uncertain") if getattr(route, name) == "accept"]
        if promise.kind != "none" and loose:
            yield Finding(
                Severity.WARNING,
                subject,
                f"its certificate is of judged answers; {' and '.join(loose)} = accept keeps others too",
            )
        if promise.kind != "none" and (route.escalation_rate is not None or route.spend_per_request is not None):
            yield Finding(
                Severity.WARNING, subject, "its certificate is of a fixed threshold, and this one follows the traffic"
            )


def _worth(settings: Settings, route: RouteSettings) -> Iterator[Finding]:
    yield from _timing(settings, route)
    cheap, large = settings.upstream(route.tiers[0]), settings.upstream(route.tiers[-1])
    if len(route.tiers) == 1 or not (large.price.prompt or large.price.completion):
        return
    shared = isinstance(cheap, OpenAISettings) and cheap.supports_n
    probing = Probing(count=route.probes.count, tokens=route.probes.max_tokens, shared=shared)
    limit = break_even(cheap.price, large.price, probing)
    subject = f"route {route.name}"
    if limit <= 0:
        yield Finding(
            Severity.ERROR,
            subject,
            f"at these prices {cheap.name} and its {route.probes.count} probes never cost less than always asking "
            f"{large.name}: use fewer or shorter probes",
        )
    elif route.timings is not None and route.timings.escalated >= limit:
        yield Finding(
            Severity.WARNING,
            subject,
            f"timings.escalated = {route.timings.escalated:g}: costs less than always asking {large.name} only while "
            f"under {limit:.0%} are escalated",
        )
    else:
        yield Finding(
            Severity.OK, subject, f"costs less than always asking {large.name} while under {limit:.0%} are escalated"
        )


def _timing(settings: Settings, route: RouteSettings) -> Iterator[Finding]:
    """Only of timings that are stated: the defaults are no one's."""
    if route.timings is None:
        return
    subject = f"route {route.name}"
    modes: dict[str, Expected] = {each.mode: each for each in expectations(settings, route)}
    if not modes:
        return
    name = "hold" if route.release == "hold" else "retract"
    hedged = modes.get(f"{name}+hedge", modes[name])
    alone = modes["always-large"]
    if hedged.kept > alone.kept:
        yield Finding(
            Severity.WARNING,
            subject,
            f"release {route.release}: the first kept token is expected after {hedged.kept:.2f} s, and after "
            f"{alone.kept:.2f} s if {route.tiers[-1]} were always asked",
        )
    if route.timings.cheap_first + route.timings.decision_mean > route.decision_deadline:
        yield Finding(Severity.WARNING, subject, "decision_deadline is before the mean decision of timings")
