"""`check` says before serving what would go wrong, and what is not worth it."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamroute.config.check import Finding, Severity, check
from streamroute.config.load import loads
from tests.support.upstream_server import UpstreamServer

TIERS = """
[[upstream]]
name = "cheap"
kind = "openai"
base_url = "{url}"
model = "m"
{cheap}

[[upstream]]
name = "large"
kind = "openai"
base_url = "{url}"
model = "m"
{large}

[[route]]
name = "auto"
tiers = ["cheap", "large"]
{route}
"""


async def findings(
    *,
    url: str = "http://127.0.0.1:1/v1",
    cheap: str = "",
    large: str = "",
    route: str = "",
    more: str = "",
    reach: bool = False,
) -> list[Finding]:
    text = more + TIERS.format(url=url, cheap=cheap, large=large, route=route)
    return await check(loads(text), reach=reach)


def bad(found: list[Finding]) -> list[tuple[Severity, str]]:
    return [(finding.severity, finding.subject) for finding in found if finding.severity is not Severity.OK]


async def test_a_sound_configuration_has_nothing_against_it() -> None:
    found = await findings()
    assert bad(found) == []
    assert Finding(Severity.OK, "route auto", "cheap -> large") in found


async def test_environment_variables_that_are_not_set_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEAP_KEY", "verysecret")
    monkeypatch.delenv("LARGE_KEY", raising=False)
    found = await findings(cheap='api_key_env = "CHEAP_KEY"', large='api_key_env = "LARGE_KEY"')
    assert bad(found) == [(Severity.ERROR, "upstream large")]
    assert "LARGE_KEY" in next(f.message for f in found if f.severity is Severity.ERROR)
    assert "verysecret" not in str(found)


async def test_a_server_open_to_the_network_is_a_warning() -> None:
    opened = '[server]\nhost = "0.0.0.0"\n'
    assert bad(await findings(more=opened)) == [(Severity.WARNING, "server")]
    key = f'[[key]]\nname = "ann"\nhash = "sha256:{"0" * 64}"\n'
    assert bad(await findings(more=opened + key)) == []


async def test_files_of_keys_must_be_there_and_should_be_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "key"
    named = f'api_key_file = "{path}"'
    assert bad(await findings(cheap=named)) == [(Severity.ERROR, "upstream cheap")]
    path.write_text("verysecret")
    path.chmod(0o644)
    found = await findings(cheap=named)
    assert bad(found) == [(Severity.WARNING, "upstream cheap")]
    path.chmod(0o600)
    found += await findings(cheap=named)
    assert Finding(Severity.OK, "upstream cheap", f"its key is in {path}") in found
    assert "verysecret" not in str(found)


@pytest.mark.parametrize(
    "route", ["probes = { count = 0 }", "hedge_after = 3", 'unjudged_tier = "cheap"\nhedge_after = 2.5']
)
async def test_routes_that_do_not_do_what_they_say_are_warnings(route: str) -> None:
    assert bad(await findings(route=route)) == [(Severity.WARNING, "route auto")]


async def test_an_upstream_that_no_route_uses_and_a_route_of_one_tier_are_warnings() -> None:
    text = TIERS.format(url="http://h/v1", cheap="", large="", route="").replace('["cheap", "large"]', '["large"]')
    assert bad(await check(loads(text))) == [(Severity.WARNING, "upstream cheap"), (Severity.WARNING, "route auto")]


async def test_a_missing_model_file_is_an_error_and_a_present_one_is_not(tmp_path: Path) -> None:
    there = tmp_path / "there.gguf"
    there.write_bytes(b"GGUF")
    text = "".join(
        f'[[upstream]]\nname = "{path.stem}"\nkind = "local"\nfile = "{path}"\n'
        for path in (there, tmp_path / "missing.gguf")
    )
    found = await check(loads(text + '[[route]]\nname = "r"\ntiers = ["there", "missing"]\n'))
    assert bad(found) == [(Severity.ERROR, "upstream missing")]


async def test_servers_are_asked_whether_they_are_there_only_when_told() -> None:
    assert bad(await findings()) == []
    assert bad(await findings(reach=True)) == [(Severity.ERROR, "upstream cheap"), (Severity.ERROR, "upstream large")]
    async with UpstreamServer() as server:
        assert bad(await findings(url=server.url, reach=True)) == []
        assert not server.seen  # nobody was asked for an answer


PRICED = "price = {{ completion = {} }}"


async def test_prices_at_which_routing_cannot_pay_are_an_error() -> None:
    found = await findings(cheap=PRICED.format(4.0), large=PRICED.format(5.0))
    assert bad(found) == [(Severity.ERROR, "route auto")]
    found = await findings(cheap=PRICED.format(0.1), large=PRICED.format(20.0))
    assert bad(found) == []
    assert any("while under 9" in finding.message for finding in found)


STATED = "timings = {{ escalated = {}, decision_mean = {} }}\nrelease = '{}'"


@pytest.mark.parametrize(
    ("escalated", "mean", "release", "warned"),
    [
        (0.25, 0.8, "hold", "first kept token"),
        (0.25, 0.8, "retract", None),
        (0.9, 0.8, "retract", "first kept token"),
        (0.1, 3.0, "append", "decision_deadline"),
    ],
)
async def test_stated_timings_at_which_a_mode_does_not_pay_are_a_warning(
    escalated: float, mean: float, release: str, warned: str | None
) -> None:
    found = await findings(route=STATED.format(escalated, mean, release))
    warnings = [finding.message for finding in found if finding.severity is Severity.WARNING]
    assert [warned in message for message in warnings if warned] == ([True] if warned else [])
    assert bool(warnings) == bool(warned)


async def test_a_stated_share_of_escalations_beyond_the_break_even_is_a_warning() -> None:
    route = STATED.format(0.8, 0.1, "append")
    found = await findings(cheap=PRICED.format(5.0), large=PRICED.format(50.0), route=route)
    assert any("only while under 74%" in f.message for f in found if f.severity is Severity.WARNING)


async def test_timings_of_a_route_that_judges_nothing_are_not_weighed() -> None:
    found = await findings(route=STATED.format(0.7, 0.1, "hold") + "\nprobes = { count = 0 }")
    assert [f.message for f in found if f.severity is Severity.WARNING and "first kept" in f.message] == []


async def test_traces_need_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    more = '[server.otel]\nendpoint = "http://127.0.0.1:4318"\n'
    assert (Severity.ERROR, "server.otel") not in bad(await findings(more=more))
    monkeypatch.setattr("streamroute.config.check.find_spec", lambda name: None)
    assert (Severity.ERROR, "server.otel") in bad(await findings(more=more))
