"""An artefact in words."""

from __future__ import annotations

from collections.abc import Iterator

from streamroute.calibration.artefact import Achieved, Artefact, Promise, Target

__all__ = ("summary",)


def summary(artefact: Artefact) -> Iterator[str]:
    """A line for each thing to know."""
    rows, score, threshold = artefact.rows, artefact.score, artefact.threshold
    used = rows.fit + rows.calibrate + rows.held_out
    yield (
        f"records      {used} labelled: {rows.fit} fitted, {rows.calibrate} calibrated, {rows.held_out} held out; "
        f"{rows.unlabelled} without a label, {rows.unjudged} not judged"
    )
    if score.kind == "fitted":
        weights = sorted(score.weights.items(), key=lambda item: -item[1])
        listed = ", ".join(f"{name} {weight:.2f}" for name, weight in weights) or "none"
        yield f"score        fitted to {rows.fit} records; weights: {listed}"
    else:
        yield "score        the judge's own"
    yield f"probability  by {score.recalibration} on {rows.calibrate} records"
    yield f"target       {_target(artefact.target)}"
    ties = f", at it with probability {threshold.gamma:.2f}" if threshold.gamma else ""
    kept = "keeps nothing" if threshold.tau < 0 else f"escalates above {threshold.tau:.4f}{ties}"
    yield f"threshold    {kept}; {threshold.conservative:.4f} once the traffic has drifted"
    gain = artefact.gain
    told = f"from {gain.rows} pairs" if gain.rows else "by default, no pair is labelled"
    yield f"gain         the larger model is right on {gain.q0:.0%} of the wrong, {gain.q1:.0%} of the right, {told}"
    yield from _achieved(artefact.achieved)
    yield f"certificate  {_promise(artefact.certificate)}"
    yield f"bound to     {artefact.binding.cheap} -> {artefact.binding.large}, {artefact.binding.sha256[:12]}"


def _target(target: Target) -> str:
    match target.kind:
        case "rate":
            return f"{target.value:.1%} escalated"
        case "budget":
            return f"{target.value:g} spent on escalations a request"
        case "gain":
            return f"escalate where the expected gain is above {target.value:g} right answers"
        case "error":
            what = "answers that the larger model would have got right" if target.regret else "wrong answers"
            if target.confidence is None:
                return f"at most {target.value:.1%} of all requests end with {what} kept, on average"
            return f"at most {target.value:.1%} {what} among those kept, with confidence {target.confidence:g}"


def _achieved(found: Achieved) -> Iterator[str]:
    yield (
        f"held out     {found.rate:.1%} of {found.n} escalated ({found.rate_low:.1%} to {found.rate_high:.1%}); "
        f"of the small model's answers {found.base_error:.1%} are wrong"
    )
    if found.error is not None and found.error_low is not None and found.error_high is not None:
        interval = f"({found.error_low:.1%} to {found.error_high:.1%})"
        yield f"             of {found.kept} kept {found.error:.1%} are wrong {interval}"
    if found.accuracy is not None and found.large_accuracy is not None:
        yield f"             right: {found.accuracy:.1%} of the route, {found.large_accuracy:.1%} of the larger model"
    if found.cost is not None:
        yield f"             escalations cost {found.cost:g} a request"


def _promise(promise: Promise) -> str:
    if promise.kind == "none":
        needed = "" if promise.needed is None else f"; about {promise.needed} held-out records would be needed"
        return f"none: {promise.reason}{needed}"
    assert promise.alpha is not None
    assert promise.bound is not None
    counted = f"{promise.bad} bad among {promise.kept} kept of {promise.n}"
    if promise.kind == "marginal":
        return f"at most {promise.alpha:.1%} of all requests, on average: {counted}"
    assert promise.delta is not None
    return (
        f"at most {promise.alpha:.1%} of those kept, with confidence {1 - promise.delta:g}: {counted}, "
        f"so at most {promise.bound:.1%}"
    )
