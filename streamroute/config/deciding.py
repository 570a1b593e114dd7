"""Whether a route decides as its settings say: its policy, its calibration, its probes, and what may follow."""

from __future__ import annotations

from collections.abc import Iterator

from streamroute.calibration.artefact import Artefact
from streamroute.config.binding import calibration_of
from streamroute.config.findings import Finding, Severity
from streamroute.config.policies import WEIGHING, policy_of
from streamroute.config.settings import RouteSettings, Settings
from streamroute.core.policy import Policy
from streamroute.core.types import Evidence, Release
from streamroute.errors import ConfigError, ModelFileError
from streamroute.uncertainty.stopping import ESC, AdaptiveConsistency, Sprt, StoppingTable

__all__ = ("deciding",)


def deciding(settings: Settings, route: RouteSettings) -> Iterator[Finding]:
    subject = f"route {route.name}"
    try:
        artefact = calibration_of(settings, route)
        policy = policy_of(settings, route, artefact)
    except (ConfigError, ModelFileError) as error:
        yield Finding(Severity.ERROR, subject, str(error).removeprefix(f"{subject}: "))
        return
    if len(route.tiers) > 1 and route.probes.count:
        yield Finding(Severity.OK, subject, f"policy {route.policy}, {_rule(route)}")
        warnings = [*_policy(route, artefact), *_stopping(route, policy), *_continuing(settings, route)]
        yield from (Finding(Severity.WARNING, subject, warning) for warning in warnings)
    if artefact is not None:
        yield from _calibration(route, artefact)


def _rule(route: RouteSettings) -> str:
    match route.policy:
        case "cascade-routing":
            return f"trade {route.quality.trade:g}"
        case "gain":
            return f"a larger answer costs {route.gain.cost:g} right ones"
        case _:
            return f"above {route.threshold:g} escalates"


def _policy(route: RouteSettings, artefact: Artefact | None) -> Iterator[str]:
    for name in ("escalation_rate", "spend_per_request"):
        if getattr(route, name) is not None and route.policy != "threshold":
            yield f"policy {route.policy} is not used: {name} decides by the score alone"
            return
    if route.policy in WEIGHING and artefact is None:
        yield f"policy {route.policy} takes the score for a probability, which without a `calibration` it is not"


def _stopping(route: RouteSettings, policy: Policy) -> Iterator[str]:
    if not isinstance(policy, ESC | AdaptiveConsistency | Sprt | StoppingTable) or route.probes.count == 1:
        return
    if route.probes.wave is None or route.probes.wave >= route.probes.count:
        yield f"policy {route.policy}: without a smaller probes.wave all probes start at once, and few are saved"
    if not isinstance(policy, StoppingTable) and not _may_stop(policy, route.probes.count - 1):
        yield f"policy {route.policy}: with {route.probes.count} probes nothing can stop it before the last of them"


def _may_stop(policy: ESC | AdaptiveConsistency | Sprt, probes: int) -> bool:
    """Whether it would stop if all these probes agreed with the answer, or all with each other against it."""
    agreeing = Evidence(
        samples=probes, expected=probes + 1, score=0.0, sizes=(probes + 1,), assignment=(0,) * probes, answer_cluster=0
    )
    contrary = Evidence(
        samples=probes, expected=probes + 1, score=1.0, sizes=(probes, 1), assignment=(0,) * probes, answer_cluster=1
    )
    return policy.enough(agreeing) or policy.enough(contrary)


def _continuing(settings: Settings, route: RouteSettings) -> Iterator[str]:
    if any(settings.upstream(name).prefill for name in route.tiers[1:]):
        return
    for name, value in (("release", route.release), ("auto.on_escalation", route.auto.on_escalation)):
        if value == Release.CONTINUE:
            yield f"{name} = continue: no larger tier has `prefill`, so what was shown is withdrawn"


def _calibration(route: RouteSettings, artefact: Artefact) -> Iterator[Finding]:
    subject, promise, threshold = f"route {route.name}", artefact.certificate, artefact.threshold
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
    if promise.kind != "none" and route.policy in WEIGHING:
        yield Finding(
            Severity.WARNING, subject, f"its certificate is of a threshold, and policy {route.policy} has none"
        )
    if promise.kind != "none" and (route.escalation_rate is not None or route.spend_per_request is not None):
        yield Finding(
            Severity.WARNING, subject, "its certificate is of a fixed threshold, and this one follows the traffic"
        )
