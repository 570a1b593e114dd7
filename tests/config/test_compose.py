"""Settings become routers that share what they have in common and close what was opened."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from streamroute.config.compose import compose
from streamroute.config.load import loads
from streamroute.core.hedge import HedgeRule
from streamroute.core.plan import AutoRelease
from streamroute.core.policy import Threshold
from streamroute.core.types import Decision, Release, Sample
from streamroute.errors import ConfigError, ModelFileError, RouteError, UpstreamConnectError, UpstreamUnavailableError
from streamroute.testing import ScriptedScorer
from streamroute.uncertainty.judge import SemanticEntropy
from streamroute.upstreams.breaker import BreakerState
from streamroute.upstreams.openai import Timeouts
from streamroute.upstreams.resilient import Resilient
from tests.support.upstream_server import Reply, UpstreamServer

MODELS = """
[[upstream]]
name = "cheap"
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
model = "small"
system = "Be brief."
params = { seed = 1 }
price = { prompt = 1.0, completion = 2.0 }

[[upstream]]
name = "large"
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
model = "big"
supports_n = true
"""
ROUTE = """
[[route]]
name = "auto"
tiers = ["cheap", "large"]
release = "append"
threshold = 0.25
decision_deadline = inf
on_timeout = "escalate"
hedge_after = 0.5
probes = { count = 4, wave = 2, after = "first_token", max_tokens = 7, temperature = 0.5, params = { top_p = 0.9 } }
"""


async def test_how_an_upstream_bills_what_is_cut_off_is_learnt_over_all_routes() -> None:
    models = MODELS.replace('model = "small"', 'model = "small"\ncancel_billing = "full"')
    async with compose(loads(models + ROUTE + ROUTE.replace('"auto"', '"other"')), scorer=ScriptedScorer()) as routes:
        (cheap, large), (same, _) = (routes[name].router.tiers for name in ("auto", "other"))
        assert (cheap.cancelled.by, large.cancelled.by) == ("full", "generated")
        assert cheap.cancelled is same.cancelled


async def test_every_setting_of_a_route_reaches_its_router() -> None:
    async with compose(loads(MODELS + ROUTE), scorer=ScriptedScorer()) as routes:
        plan = routes["auto"].router.plan
        assert plan.policy == Threshold(0.25)
        assert plan.release is Release.APPEND
        assert plan.decision_deadline is None
        assert plan.on_timeout is Decision.ESCALATE
        assert plan.on_uncertain is Decision.ACCEPT
        assert plan.hedge_after == 0.5
        cheap, large = routes["auto"].router.tiers
        assert (cheap.label, cheap.upstream.model, cheap.system, cheap.params) == (
            "cheap",
            "small",
            "Be brief.",
            {"seed": 1},
        )
        assert (cheap.price.prompt, cheap.price.completion) == (1.0, 2.0)
        assert cheap.probes is not None
        assert (cheap.probes.count, cheap.probes.wave, cheap.probes.after) == (4, 2, "first_token")
        assert (cheap.probes.max_tokens, cheap.probes.temperature) == (7, 0.5)
        assert cheap.probes.params == {"top_p": 0.9}
        assert large.probes is None
        assert large.upstream.supports_n


async def test_when_to_show_and_to_start_early_reach_the_router() -> None:
    more = """release = "auto"
insurance = true
probes = { count = 2, skip_confident = 0.9 }
auto = { annoyance = 3.0, decision_gap = 0.5, prior = 0.1, on_escalation = "continue" }
hedge = { waste = 0.1, second = 0.2, large_first = 0.3, decision = 0.4, prior = 0.5 }
"""
    models = MODELS.replace("supports_n = true", "supports_n = true\nprefill = true")
    route = '[[route]]\nname = "auto"\ntiers = ["cheap", "large"]\n' + more
    async with compose(loads(models + route), scorer=ScriptedScorer()) as routes:
        router = routes["auto"].router
        plan = router.plan
        assert plan.auto == AutoRelease(annoyance=3.0, decision_gap=0.5, prior=0.1, on_escalation=Release.CONTINUE)
        assert plan.auto.on_escalation is Release.CONTINUE
        assert plan.hedge == HedgeRule(waste=0.1, second=0.2, large_first=0.3, decision=0.4, prior=0.5)
        assert plan.insurance
        assert plan.prefill == {1}
        assert plan.tiers[0] is not None
        assert plan.tiers[0].skip_confident == 0.9


async def test_how_failures_are_met_reaches_the_models_and_the_router() -> None:
    met = """timeouts = { connect = 1.0, first = 2.0, between = 3.0, tail = 4.0, total = 5.0 }
retries = { attempts = 4, wait = 0.5, longest = 9.0 }
breaker = { failures = 3, seconds = 7.0 }
prefill = true
"""
    models = MODELS.replace("supports_n = true\n", met)
    async with compose(loads(models + ROUTE + 'on_break = "continue"\n'), scorer=ScriptedScorer()) as routes:
        router = routes["auto"].router
        assert router.plan.on_break == "continue"
        resilient = router.tiers[1].upstream
        assert isinstance(resilient, Resilient)
        assert (resilient.retry.attempts, resilient.retry.wait, resilient.retry.longest) == (4, 0.5, 9.0)
        timeouts = resilient._upstream._timeouts  # type: ignore[attr-defined]
        assert timeouts == Timeouts(connect=1.0, first=2.0, between=3.0, tail=4.0, total=5.0)
        for _ in range(3):
            assert resilient.breaker.state is BreakerState.CLOSED
            resilient.breaker.failed(UpstreamConnectError("nobody", upstream="large"))
        with pytest.raises(UpstreamUnavailableError, match="large: not asked") as caught:
            resilient.breaker.check()
        assert caught.value.retry_after == pytest.approx(7.0, abs=0.5)


async def test_routes_share_their_upstreams() -> None:
    second = '[[route]]\nname = "other"\ntiers = ["large", "cheap"]\n'
    async with compose(loads(MODELS + ROUTE + second), scorer=ScriptedScorer()) as routes:
        first, other = routes["auto"].router, routes["other"].router
        assert first.tiers[0].upstream is other.tiers[1].upstream
        assert first.tiers[1].upstream is other.tiers[0].upstream


async def test_only_the_chosen_routes_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MISSING_KEY", raising=False)
    locked = MODELS.replace('model = "big"', 'model = "big"\napi_key_env = "MISSING_KEY"')
    alone = '[[route]]\nname = "alone"\ntiers = ["cheap"]\n'
    settings = loads(locked + ROUTE + alone)
    async with compose(settings, routes=["alone"]) as routes:  # one tier: nothing to judge, so no judge is loaded
        assert list(routes) == ["alone"]
    with pytest.raises(
        ConfigError, match="upstream large: api_key_env: the environment variable MISSING_KEY is not set"
    ):
        async with compose(settings, scorer=ScriptedScorer()):
            pass


async def test_a_key_in_a_file_is_sent_and_a_reply_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-file\n")
    async with UpstreamServer() as server:
        server.default = Reply.of("It is Canberra.")
        limits = "[server.limits]\nreply_bytes = 300\n"
        one = f'[[upstream]]\nname = "cheap"\nkind = "openai"\nbase_url = "{server.url}"\nmodel = "m"\n'
        settings = loads(
            limits + one + 'api_key_file = "key"\n[[route]]\nname = "auto"\ntiers = ["cheap"]\n', folder=tmp_path
        )
        async with compose(settings) as routes:
            with pytest.raises(RouteError, match="sent more than 300 bytes"):
                await routes["auto"].router.complete([{"role": "user", "content": "x"}])
        assert server.seen[0].headers["Authorization"] == "Bearer sk-file"


async def test_without_a_scorer_the_bundled_judge_is_loaded_once_and_closed() -> None:
    threads = threading.active_count()
    async with compose(loads(MODELS + ROUTE)) as routes:
        scorer = routes["auto"].router._scorer
        assert isinstance(scorer, SemanticEntropy)
        evidence = await scorer.session("What is 2+2?").evaluate(
            answer="4", answer_finished=True, samples=[Sample("four"), Sample("4")], expected=2
        )
        assert evidence.agreement == 1.0
    assert threading.active_count() <= threads + 1  # asyncio's own pool keeps the thread that did the loading


async def test_a_local_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.gguf"
    text = f'[[upstream]]\nname = "own"\nkind = "local"\nfile = "{missing}"\n[[route]]\nname = "r"\ntiers = ["own"]\n'
    with pytest.raises(ModelFileError, match=r"missing\.gguf"):
        async with compose(loads(text)):
            pass


async def test_a_manifest_name_that_is_not_there_is_named() -> None:
    text = '[[upstream]]\nname = "own"\nkind = "local"\nmodel = "gpt-9"\n[[route]]\nname = "r"\ntiers = ["own"]\n'
    with pytest.raises(ConfigError, match="gpt-9"):
        async with compose(loads(text)):
            pass
