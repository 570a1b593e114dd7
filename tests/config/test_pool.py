"""What several generations of routes hold in common stays open between them, and no longer."""

from __future__ import annotations

from contextlib import AsyncExitStack

import msgspec
import pytest

from streamroute.config.compose import compose
from streamroute.config.load import loads
from streamroute.config.pool import Pool
from streamroute.config.settings import OpenAISettings, Settings
from streamroute.config.upstreams import PriceSettings
from streamroute.errors import UpstreamConnectError
from streamroute.nli.lazy import LazyModel
from streamroute.testing import ScriptedScorer
from streamroute.uncertainty.judge import SemanticEntropy
from streamroute.upstreams.base import ChatRequest, Upstream
from tests.config.test_compose import MODELS, ROUTE

CHEAP = OpenAISettings(name="cheap", base_url="http://127.0.0.1:1/v1", model="small")


async def is_closed(upstream: Upstream) -> bool:
    """No server listens there: it says so, or that it is closed."""
    try:
        async with upstream.stream(ChatRequest(messages=({"role": "user", "content": "?"},))):
            raise AssertionError("nobody answers there")
    except UpstreamConnectError as error:
        return str(error).endswith("is closed")


async def test_equal_settings_are_one_upstream_open_until_the_last_lets_go() -> None:
    async with Pool() as pool:
        async with AsyncExitStack() as new:
            async with pool.upstream(CHEAP, probes=False) as first:
                second = await new.enter_async_context(pool.upstream(CHEAP, probes=True))
                assert second is first
            assert not await is_closed(second)
        assert await is_closed(second)
        async with pool.upstream(CHEAP, probes=False) as third:
            assert third is not first


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"model": "other"}, False),
        ({"supports_n": True}, False),
        ({"price": PriceSettings(prompt=1.0)}, True),
        ({"system": "Be brief."}, True),
        ({"params": {"seed": 1}}, True),
        ({"prefill": True}, True),
    ],
)
async def test_only_a_change_of_the_model_itself_opens_another(change: dict[str, object], same: bool) -> None:
    changed = msgspec.structs.replace(CHEAP, **change)
    async with Pool() as pool, pool.upstream(CHEAP, probes=False) as first, pool.upstream(changed, probes=False) as two:
        assert (first is two) is same


async def test_another_key_in_the_environment_is_another_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = msgspec.structs.replace(CHEAP, api_key_env="CHEAP_KEY")
    monkeypatch.setenv("CHEAP_KEY", "old")
    async with Pool() as pool, pool.upstream(locked, probes=False) as first:
        monkeypatch.setenv("CHEAP_KEY", "new")
        async with pool.upstream(locked, probes=False) as second:
            assert first is not second


def generation(**route: object) -> Settings:
    settings = loads(MODELS + ROUTE)
    return msgspec.structs.replace(settings, routes=(msgspec.structs.replace(settings.routes[0], **route),))


async def test_a_route_that_has_not_changed_keeps_what_its_threshold_learned() -> None:
    scorer, following = ScriptedScorer(), {"escalation_rate": 0.3}
    async with Pool() as pool, compose(generation(**following), scorer=scorer, pool=pool) as old:
        async with compose(generation(**following), scorer=scorer, pool=pool, before=old) as new:
            assert new["auto"].pace is old["auto"].pace
            assert new["auto"].router.tiers[0].upstream is old["auto"].router.tiers[0].upstream
        async with compose(generation(escalation_rate=0.4), scorer=scorer, pool=pool, before=old) as new:
            assert new["auto"].pace is not old["auto"].pace
        assert not await is_closed(old["auto"].router.tiers[0].upstream)


async def test_one_judge_serves_all_generations_and_is_loaded_when_it_is_asked() -> None:
    async with Pool(lazily=True) as pool:
        await pool.judge_loaded()  # nobody judges: there is nothing to load
        async with compose(loads(MODELS + ROUTE), pool=pool) as routes:
            scorer = routes["auto"].router._scorer
            assert isinstance(scorer, SemanticEntropy)
        assert isinstance(model := await pool.judge(), LazyModel)
        assert model._loading is None
        await pool.judge_loaded()
        assert (await model.loaded()).stats.served == 0
