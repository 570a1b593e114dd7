"""The systems that stand side by side: what they show, and when they judge."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from msgspec.structs import replace as restructured

from streamroute.calibration.artefact import Artefact
from streamroute.config.policies import WEIGHING, policy_of
from streamroute.config.settings import OpenAISettings, PriceSettings, ProbeSettings, RouteSettings
from streamroute.config.settings import Policy as PolicyName
from streamroute.config.settings import Settings as Configuration
from streamroute.core.plan import AutoRelease, Plan, ProbeSchedule
from streamroute.core.policy import Policy
from streamroute.core.types import Decision, Release
from streamroute.errors import ConfigError
from streamroute.evaluation.simulation.legs import RecordedRoute, whole_drafts
from streamroute.evaluation.simulation.outcome import Billing, Outcome
from streamroute.evaluation.simulation.simulate import JudgeOf, simulate
from streamroute.evaluation.simulation.timings import JudgePace
from streamroute.routing.tiers import Price

__all__ = ("POLICIES", "SYSTEMS", "Settings", "System", "auto_of", "planned", "run_system", "system")

POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)
"""How evidence becomes a verdict: whatever a configuration can name, with that configuration's defaults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What systems have in common. `policy` is a name of `POLICIES`; times in seconds, `hedge_after` for those systems
    that hedge. `wave` and `skip_confident` as of a `ProbeSchedule`, `deadline` and `on_timeout` as of a `Plan`.

    A `calibration` has the threshold, and what a policy that weighs is told; its score has to be that of the routes
    (`rescoring`). `prices` of both tiers are what such a policy weighs. `threshold` None: that of the calibration, or
    one half.
    """

    policy: PolicyName = "threshold"
    threshold: float | None = None
    calibration: Artefact | None = None
    prices: tuple[Price, ...] = Billing.of_ratio(15).prices
    probes: int = 5
    wave: int | None = None
    skip_confident: float | None = None
    deadline: float | None = 2.5
    on_timeout: Decision = Decision.ACCEPT
    hedge_after: float = 0.0
    auto: AutoRelease = field(default_factory=AutoRelease)

    @property
    def limit(self) -> float | None:
        """The score above which an answer is escalated; None where the policy has no such limit."""
        if self.policy in WEIGHING:
            return None
        if self.threshold is not None:
            return self.threshold
        return 0.5 if self.calibration is None else self.calibration.threshold.tau

    def schedule(self) -> ProbeSchedule:
        return ProbeSchedule(count=self.probes, wave=self.wave, skip_confident=self.skip_confident)

    def decided_by(self) -> Policy:
        """Raises `ConfigError` where no such policy can be made."""
        route = RouteSettings(
            name="replay",
            tiers=("cheap", "large"),
            policy=self.policy,
            threshold=0.5 if self.threshold is None else self.threshold,
            decision_deadline=math.inf if self.deadline is None else self.deadline,
            probes=ProbeSettings(count=self.probes, wave=self.wave, skip_confident=self.skip_confident),
        )
        upstreams = tuple(
            OpenAISettings(
                name=name,
                base_url="http://127.0.0.1/v1",
                model=name,
                price=PriceSettings(prompt=price.prompt, completion=price.completion),
            )
            for name, price in zip(route.tiers, self.prices, strict=True)
        )
        artefact = self.calibration
        if artefact is not None and self.threshold is not None:
            artefact = restructured(artefact, threshold=restructured(artefact.threshold, tau=self.threshold, gamma=0.0))
        return policy_of(Configuration(upstreams=upstreams, routes=(route,)), route, artefact)


@dataclass(frozen=True, slots=True)
class System:
    """A plan, by a name. `whole`: it hears of a judged answer only when that is whole."""

    name: str
    plan: Plan
    whole: bool = False


def _plan(settings: Settings, release: Release) -> Plan:
    return Plan(
        tiers=(settings.schedule(), None),
        policy=settings.decided_by(),
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
    schedule = replace(settings.schedule(), after="first_token")
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


def planned(system: System, routes: Iterable[RecordedRoute]) -> list[tuple[RecordedRoute, Plan]]:
    """Every route as `system` sees it, in order, and the plan that decides it with its own dice."""
    seen = map(whole_drafts, routes) if system.whole else routes
    return [(route, replace(system.plan, dice=route.dice)) for route in seen]


def run_system(
    system: System, routes: Sequence[RecordedRoute], judge: JudgeOf, billing: Billing, pace: JudgePace
) -> list[Outcome]:
    """What `system` makes of every route, in order."""
    return [simulate(route, plan, judge, billing, pace) for route, plan in planned(system, routes)]
