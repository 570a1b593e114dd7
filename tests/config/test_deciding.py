"""`check` says where a route will not decide as its settings seem to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamroute.calibration.artefact import Promise, write_artefact
from streamroute.config.binding import binding_of
from streamroute.config.check import check
from streamroute.config.findings import Severity
from streamroute.config.load import load
from tests.calibration.made import artefact
from tests.config.test_check import TIERS, findings

PRICED = "price = { completion = 1.0 }"


async def warnings(route: str, *, large: str = "") -> list[str]:
    found = await findings(cheap="price = { completion = 0.01 }", large=f"{PRICED}\n{large}", route=route)
    assert all(finding.severity is not Severity.ERROR for finding in found)
    return [finding.message for finding in found if finding.severity is Severity.WARNING]


@pytest.mark.parametrize("policy", ["stopping-table", "adaptive-consistency", "esc", "sprt"])
async def test_a_stopping_rule_whose_probes_all_start_at_once_is_a_warning(policy: str) -> None:
    for probes in ("{ count = 9 }", "{ count = 9, wave = 9 }"):
        (told,) = await warnings(f'policy = "{policy}"\nprobes = {probes}')
        assert told.startswith(f"policy {policy}: without a smaller probes.wave")
    assert await warnings(f'policy = "{policy}"\nprobes = {{ count = 9, wave = 1 }}') == []
    assert await warnings(f'policy = "{policy}"\nprobes = {{ count = 1 }}') == []


@pytest.mark.parametrize(
    ("rule", "can", "cannot"),
    [
        ("esc", "window = 4", "window = 5"),
        # With four agreeing probes, 5 texts to 0: 1 - 2^-6; with four against the answer, 4 to 1: 57/64.
        ("adaptive-consistency", "confidence = 0.98", "confidence = 0.99"),
        # Four that agree: 4 log(.85/.35) = 3.55; four that do not: 4 log(.15/.65) = -5.87. Bounds: log((1-b)/a).
        ("sprt", "false_keep = 0.001\nfalse_escalation = 0.01", "false_keep = 0.01\nfalse_escalation = 0.001"),
    ],
)
async def test_a_rule_that_its_probes_can_never_stop_is_a_warning(rule: str, can: str, cannot: str) -> None:
    route = f'policy = "{rule}"\nprobes = {{ count = 5, wave = 1 }}\n[route.stopping]\n'
    assert await warnings(route + can) == []
    assert await warnings(route + cannot) == [
        f"policy {rule}: with 5 probes nothing can stop it before the last of them"
    ]


@pytest.mark.parametrize("policy", ["gain", "cascade-routing"])
async def test_a_policy_that_weighs_probabilities_needs_a_calibration(policy: str) -> None:
    (told,) = await warnings(f'policy = "{policy}"')
    assert told == f"policy {policy} takes the score for a probability, which without a `calibration` it is not"


async def test_a_policy_beside_a_rate_is_not_used() -> None:
    (told,) = await warnings('policy = "gain"\nescalation_rate = 0.3')
    assert told == "policy gain is not used: escalation_rate decides by the score alone"
    assert await warnings("escalation_rate = 0.3") == []


@pytest.mark.parametrize(
    ("route", "name"),
    [('release = "continue"', "release"), ('auto = { on_escalation = "continue" }', "auto.on_escalation")],
)
async def test_to_continue_some_larger_tier_must_go_on_from_a_text(route: str, name: str) -> None:
    assert await warnings(route) == [f"{name} = continue: no larger tier has `prefill`, so what was shown is withdrawn"]
    assert await warnings(route, large="prefill = true") == []


async def test_each_policy_says_by_what_it_decides() -> None:
    for route, said in (
        ('policy = "gain"\ngain = { cost = 0.2 }', "policy gain, a larger answer costs 0.2 right ones"),
        ('policy = "cascade-routing"\nquality = { trade = 0.3 }', "policy cascade-routing, trade 0.3"),
        ('policy = "esc"\nthreshold = 0.3', "policy esc, above 0.3 escalates"),
    ):
        found = await findings(cheap=PRICED, large=PRICED, route=route)
        assert said in [finding.message for finding in found]


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("threshold", []),
        ("gain", ["its certificate is of a threshold, and policy gain has none"]),
    ],
)
async def test_a_certificate_is_of_no_use_to_a_policy_without_a_threshold(
    tmp_path: Path, policy: str, told: list[str]
) -> None:
    path = tmp_path / "gateway.toml"
    more = f'policy = "{policy}"\ncalibration = "made.toml"\non_timeout = "escalate"\non_uncertain = "escalate"'
    path.write_text(TIERS.format(url="http://h/v1", cheap="", large="", route=more))
    settings = load(path)
    promise = Promise(kind="selective", alpha=0.1, delta=0.1, n=100, kept=50, bad=1, bound=0.08)
    bound = binding_of(settings, settings.routes[0])
    assert bound.stopping == "certified"
    write_artefact(artefact(binding=bound, certificate=promise), tmp_path / "made.toml")
    found = await check(settings)
    assert [finding.message for finding in found if finding.severity is Severity.WARNING] == told


async def test_a_stopping_table_with_a_calibration_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    more = 'policy = "stopping-table"\ncalibration = "made.toml"'
    path.write_text(TIERS.format(url="http://h/v1", cheap="", large="", route=more))
    settings = load(path)
    write_artefact(artefact(binding=binding_of(settings, settings.routes[0])), tmp_path / "made.toml")
    errors = [finding.message for finding in await check(settings) if finding.severity is Severity.ERROR]
    assert errors == ["policy stopping-table cannot be calibrated: use another, or no calibration"]
