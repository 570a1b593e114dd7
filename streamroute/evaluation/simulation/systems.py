"""The systems that stand side by side: what they show, and when they judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from streamroute.core.plan import AutoRelease, Plan, ProbeSchedule
from streamroute.core.policy import Policy, Threshold
from streamroute.core.types import Decision, Release
from streamroute.errors import ConfigError
from streamroute.evaluation.simulation.legs import RecordedRoute, whole_drafts
from streamroute.evaluation.simulation.outcome import Billing, Outcome
from streamroute.evaluation.simulation.simulate import JudgeOf, simulate
from streamroute.evaluation.simulation.timings import JudgePace

__all__ = ("POLICIES", "SYSTEMS", "Settings", "System", "auto_of", "run_system", "system")

POLICIES: Mapping[str, Callable[[float], Policy]] = {"threshold": Threshold}
"""How evidence becomes a verdict, from the threshold of the score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What systems have in common. `policy` is a name of `POLICIES`; times in seconds, `hedge_after` for those systems
    that hedge. `deadline` and `on_timeout` as of a `Plan`."""

    policy: str = "threshold"
    threshold: float = 0.5
    probes: int = 5
    wave: int | None = None
    deadline: float | None = 2.5
    on_timeout: Decision = Decision.ACCEPT
    hedge_after: float = 0.0
    auto: AutoRelease = field(default_factory=AutoRelease)


@dataclass(frozen=True, slots=True)
class System:
    """A plan, by a name. `whole`: it hears of a judged answer only when that is whole."""

    name: str
    plan: Plan
    whole: bool = False


def _plan(settings: Settings, release: Release) -> Plan:
    return Plan(
        tiers=(ProbeSchedule(count=settings.probes, wave=settings.wave), None),
        policy=POLICIES[settings.policy](settings.threshold),
        release=release,
        auto=settings.auto,
        prefill=frozenset({1}),
        decision_deadline=settings.deadline,
        on_timeout=settings.on_timeout,
    )


def _always(name: str, tier: int) -> System:
    return System(name, Plan(tiers=(None, None), start_tier=tier, judge=False))


def _sequential(settings: Settings) -> System:
    """Generate the whole cheap answer, then draw the probes, judge, and only then ask the large model."""
    schedule = ProbeSchedule(count=settings.probes, wave=settings.wave, after="first_token")
    plan = replace(_plan(settings, Release.HOLD), tiers=(schedule, None), decision_deadline=None)
    return System("sequential", plan, whole=True)


def _hedge(settings: Settings) -> System:
    return System("hedge", replace(_plan(settings, Release.RETRACT), hedge_after=settings.hedge_after))


SYSTEMS: Mapping[str, Callable[[Settings], System]] = {
    "always-cheap": lambda settings: _always("always-cheap", 0),
    "always-large": lambda settings: _always("always-large", 1),
    "sequential": _sequential,
    **{
        str(release): lambda settings, release=release: System(str(release), _plan(settings, release))  # type: ignore[misc]
        for release in Release
    },
    "hedge": _hedge,
}
"""All that can be compared. `hold`, `retract`, `append`, `continue` and `auto` are the router's releases, `hedge` is
`retract` with the large model started early beside it."""


def system(name: str, settings: Settings) -> System:
    """Raises `ConfigError` for a name that is not there."""
    if name not in SYSTEMS:
        raise ConfigError(f"there is no system {name!r} (there are: {', '.join(SYSTEMS)})")
    return SYSTEMS[name](settings)


def auto_of(outcomes: Sequence[Outcome], annoyance: float) -> AutoRelease:
    """What `Release.AUTO` should expect of routes like these, which showed their answers at once and of which some were
    judged: the share that is escalated, and the mean time from the first token to the verdict."""
    judged = [(each.decided, each.first_shown, each.tier > 0) for each in outcomes if each.decided is not None]
    gaps = [max(decided - shown, 0.0) for decided, shown, _ in judged if shown is not None]
    prior = sum(escalated for _, _, escalated in judged) / len(judged)
    return AutoRelease(annoyance=annoyance, decision_gap=sum(gaps) / len(gaps), prior=prior)


def run_system(
    system: System, routes: Sequence[RecordedRoute], judge: JudgeOf, billing: Billing, pace: JudgePace
) -> list[Outcome]:
    """What `system` makes of every route, in order; each is decided with its own dice."""
    seen = map(whole_drafts, routes) if system.whole else routes
    return [simulate(route, replace(system.plan, dice=route.dice), judge, billing, pace) for route in seen]
