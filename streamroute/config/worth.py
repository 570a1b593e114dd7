"""Whether a route is worth its money and its time, at its prices and at what is stated of its speed."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import to_builtins

from streamroute.config.economics import Expected, break_even, expectations, probing_of
from streamroute.config.findings import Finding, Severity
from streamroute.config.settings import RouteSettings, Settings
from streamroute.core.hedge import HedgeRule

__all__ = ("worth",)


def worth(settings: Settings, route: RouteSettings) -> Iterator[Finding]:
    yield from _timing(settings, route)
    yield from _hedge(route)
    cheap, large = settings.upstream(route.tiers[0]), settings.upstream(route.tiers[-1])
    if len(route.tiers) == 1 or not (large.price.prompt or large.price.completion):
        return
    limit = break_even(cheap.price, large.price, probing_of(settings, route))
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


def _hedge(route: RouteSettings) -> Iterator[Finding]:
    """The bar for an early start is lowest when a tier starts, and rises from then on."""
    if route.hedge is None or len(route.tiers) == 1:
        return
    rule, subject = HedgeRule(**to_builtins(route.hedge)), f"route {route.name}"
    bar = rule.bar(0.0)
    if bar >= 1:
        yield Finding(Severity.WARNING, subject, "hedge: at these numbers an early start never pays: it never hedges")
    elif rule.prior > bar:
        yield Finding(
            Severity.WARNING,
            subject,
            f"hedge: prior = {rule.prior:g} is above the bar of {bar:.2f}: the next tier starts beside every answer",
        )
    else:
        yield Finding(Severity.OK, subject, f"hedges where the first evidence is above {bar:.2f} or, later, more")
