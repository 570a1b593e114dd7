"""`check` says before serving what would go wrong, and what is not worth it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.config.check import Finding, Severity, check, outlook
from streamroute.config.economics import break_even
from streamroute.config.load import loads
from streamroute.config.settings import PriceSettings
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
    assert bad(await findings(more='[server]\nhost = "0.0.0.0"\n')) == [(Severity.WARNING, "server")]


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


@pytest.mark.parametrize(
    ("cheap", "probe_tokens", "limit"),
    [(1.0, 300, 0.70), (1.0, 90, 0.875), (2.0, 300, 0.40), (2.0, 90, 0.75), (4.0, 300, -0.2)],
)
def test_break_even_is_method_5_1(cheap: float, probe_tokens: int, limit: float) -> None:
    """rho = .05, .1, .2 with k = 5 and phi = 1 or .3: .70, .875, .40, .75, never."""
    prices = PriceSettings(completion=cheap), PriceSettings(completion=20.0)
    assert break_even(*prices, probes=5, probe_tokens=probe_tokens, shared=True) == pytest.approx(limit)


@given(st.integers(0, 20), st.integers(1, 500), st.floats(0, 10), st.floats(0.01, 10))
def test_sharing_the_prompt_and_fewer_probes_never_make_routing_dearer(
    probes: int, tokens: int, cheap: float, large: float
) -> None:
    prices = PriceSettings(prompt=cheap, completion=cheap), PriceSettings(prompt=large, completion=large)
    shared = break_even(*prices, probes=probes, probe_tokens=tokens, shared=True)
    assert shared >= break_even(*prices, probes=probes, probe_tokens=tokens, shared=False)
    assert shared >= break_even(*prices, probes=probes + 1, probe_tokens=tokens, shared=True)


async def test_prices_at_which_routing_cannot_pay_are_an_error() -> None:
    found = await findings(cheap=PRICED.format(4.0), large=PRICED.format(5.0))
    assert bad(found) == [(Severity.ERROR, "route auto")]
    found = await findings(cheap=PRICED.format(0.1), large=PRICED.format(20.0))
    assert bad(found) == []
    assert any("while under 9" in finding.message for finding in found)


async def test_more_escalations_than_the_prices_bear_are_a_warning() -> None:
    found = await findings(cheap=PRICED.format(2.0), large=PRICED.format(20.0), route="expected = { escalated = 0.9 }")
    assert bad(found) == [(Severity.WARNING, "route auto")]
    assert "90%" in str(found)


def test_the_outlook_puts_every_way_to_answer_side_by_side() -> None:
    prices = {"cheap": PRICED.format(1.0), "large": PRICED.format(20.0)}
    settings = loads(TIERS.format(url="http://h/v1", route="hedge_after = 0.2", **prices))
    found = outlook(settings, settings.routes[0])
    assert found is not None
    assert list(found) == ["always cheap", "always large", "sequential", "hold", "retract", "append"]
    assert found["retract"].kept < found["hold"].kept < found["sequential"].kept
    assert found["always cheap"].cost == pytest.approx(300e-6)
    assert found["hold"].cost > found["always cheap"].cost


def test_what_is_not_judged_has_no_outlook() -> None:
    settings = loads(TIERS.format(url="http://h/v1", cheap="", large="", route="probes = { count = 0 }"))
    assert outlook(settings, settings.routes[0]) is None
