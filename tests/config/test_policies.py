"""Every policy can be named in a configuration, with its own parameters."""

from __future__ import annotations

import pytest

from streamroute.config.check import Severity, check
from streamroute.config.load import loads
from streamroute.config.policies import policy_of
from streamroute.core.policy import Policy, Threshold
from streamroute.errors import ConfigError
from streamroute.uncertainty.stopping import ESC, AdaptiveConsistency, Costs, Sprt, StoppingTable
from streamroute.uncertainty.stopping.chances import chance_of_score

TIERS = "".join(
    f'[[upstream]]\nname = "{name}"\nkind = "openai"\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\n'
    for name in ("cheap", "large")
)


def config(more: str) -> str:
    return f'{TIERS}[[route]]\nname = "auto"\ntiers = ["cheap", "large"]\nthreshold = 0.25\n{more}'


def made(more: str) -> Policy:
    settings = loads(config(more))
    return policy_of(settings, settings.route("auto"))


@pytest.mark.parametrize(
    ("more", "policy"),
    [
        ("", Threshold(0.25)),
        ('policy = "adaptive-consistency"\nstopping = { confidence = 0.9 }', AdaptiveConsistency(0.25, 0.9)),
        ('policy = "esc"\nstopping = { window = 2 }', ESC(0.25, 2)),
        (
            'policy = "sprt"\nstopping = { agree_if_right = 0.7, agree_if_wrong = 0.2, false_keep = 0.05, '
            "false_escalation = 0.3 }",
            Sprt(0.25, 0.7, 0.2, 0.05, 0.3),
        ),
    ],
)
def test_a_named_policy_gets_the_threshold_and_its_parameters(more: str, policy: Policy) -> None:
    assert made(more) == policy


def test_a_stopping_table_escalates_above_the_threshold_or_where_it_pays() -> None:
    table = made('policy = "stopping-table"\nprobes = { count = 3 }')
    assert isinstance(table, StoppingTable)
    assert (table.most, table.limit, table.costs.probe) == (3, chance_of_score(0.25), 0.005)
    priced = made('policy = "stopping-table"\nstopping = { escalation_price = 0.1, probe_price = 0.001 }')
    assert isinstance(priced, StoppingTable)
    assert priced.costs == Costs(probe=0.001, escalation=0.1)
    assert priced.limit == priced.costs.limit


@pytest.mark.parametrize(
    "more",
    [
        'policy = "sprt"\nstopping = { agree_if_right = 0.2 }',
        'policy = "esc"\nstopping = { window = 1 }',
        'policy = "stopping-table"\nprobes = { count = 20 }',
        'policy = "stopping-table"\nstopping = { right_when_right = 1.0, right_when_wrong = 0.0 }',
    ],
)
async def test_parameters_that_make_no_policy_are_named_by_check(more: str) -> None:
    with pytest.raises(ConfigError, match="route auto: policy"):
        made(more)
    errors = [found for found in await check(loads(config(more))) if found.severity is Severity.ERROR]
    assert [found.subject for found in errors] == ["route auto"]


async def test_check_names_the_policy() -> None:
    found = await check(loads(config('policy = "esc"')))
    assert "policy esc, above 0.25 escalates" in [finding.message for finding in found]
