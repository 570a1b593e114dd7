"""`policy` and the tables beside it become what the router is given."""

from __future__ import annotations

import pytest

from streamroute.config.compose import compose
from streamroute.config.load import loads
from streamroute.config.policies import policy_of
from streamroute.core.policy import Policy, Threshold
from streamroute.core.selection import CascadeRouting
from streamroute.errors import ConfigError
from streamroute.testing import ScriptedScorer

PRICES = {"a": 0.1, "b": 1.0, "c": 4.0}


def text(route: str, *, priced: bool = True) -> str:
    tiers = "".join(
        f'[[upstream]]\nname = "{name}"\nkind = "openai"\nbase_url = "http://h/v1"\nmodel = "m"\n'
        + (f"price = {{ completion = {price} }}\n" if priced else "")
        for name, price in PRICES.items()
    )
    return f'{tiers}[[route]]\nname = "r"\ntiers = ["a", "b", "c"]\n{route}\n'


def policy(route: str, *, priced: bool = True) -> Policy:
    settings = loads(text(route, priced=priced))
    return policy_of(settings, settings.routes[0])


def test_a_threshold_is_the_default() -> None:
    assert policy("threshold = 0.3") == Threshold(0.3)


def test_cascade_routing_weighs_prices_as_parts_of_the_dearest_answer() -> None:
    made = policy(
        'policy = "cascade-routing"\n[route.quality]\ntrade = 0.1\nsecond = 0.2\nannoyance = 3\nmix = 0.5\n'
        "right = [0.9]\nwrong = [0.5, 0.7]\ndelay = [0.4, 1.5]"
    )
    assert isinstance(made, CascadeRouting)
    assert [tier.cost for tier in made.tiers] == pytest.approx([0.025, 0.25, 1.0])
    assert [tier.delay for tier in made.tiers[1:]] == [0.4, 1.5]
    assert [(tier.link(0.0), tier.link(1.0)) for tier in made.tiers[1:]] == [(0.9, 0.5), (0.9, 0.7)]
    assert (made.trade, made.second, made.annoyance, made.mix) == (0.1, 0.2, 3, 0.5)


@pytest.mark.parametrize(
    ("quality", "priced", "message"),
    [
        ("", False, "route r: policy cascade-routing: needs the `price`"),
        (
            "right = [0.9, 0.9, 0.9]",
            True,
            "cascade-routing: quality.right: 3 numbers for 2 tiers after the first",
        ),
        ("right = [0.3]", True, "route r: policy cascade-routing: 0 <= if_wrong"),
    ],
)
def test_what_cannot_be_weighed_is_refused(quality: str, priced: bool, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        policy(f'policy = "cascade-routing"\n[route.quality]\n{quality}', priced=priced)


@pytest.mark.parametrize(
    ("table", "decision"),
    [("", None), ("[route.prerouter]", "skip_cheap"), ("[route.prerouter]\ncode = 'off'", "judge")],
)
async def test_a_pre_router_is_off_unless_its_table_is_there(table: str, decision: str | None) -> None:
    async with compose(loads(text(table)), scorer=ScriptedScorer()) as routes:
        prerouter = routes["r"].router.prerouter
        found = prerouter and prerouter.route([{"role": "user", "content": "```x```"}]).decision
    assert found == decision
