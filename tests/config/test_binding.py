"""A calibration serves the route that it was made for, and no other: whatever differs is named."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamroute.calibration.artefact import Promise, ScoreFit, write_artefact
from streamroute.calibration.recalibrate import Platt, Recalibrated
from streamroute.calibration.thresholds import Calibrated
from streamroute.calibration.tracker import Jittered
from streamroute.config.binding import binding_of
from streamroute.config.check import Severity, check
from streamroute.config.compose import compose
from streamroute.config.load import load
from streamroute.config.settings import Settings
from streamroute.core.gain import Gain
from streamroute.core.policy import Threshold
from streamroute.core.types import Evidence, Features
from streamroute.errors import ConfigError
from streamroute.testing import ScriptedScorer
from streamroute.uncertainty.combine import most_probes
from streamroute.uncertainty.fitted import Logistic
from tests.calibration.made import artefact

CONFIG = """
[[upstream]]
name = "cheap"
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
model = "small"
system = "Be brief."

[[upstream]]
name = "large"
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
model = "big"
price = { prompt = 1.0, completion = 4.0 }

[[route]]
name = "auto"
tiers = ["cheap", "large"]
"""
UNCERTAIN = Evidence(samples=5, expected=5, score=0.9, low=0.9, high=0.9)


def written(folder: Path, extra: str = 'calibration = "mine.toml"', *, config: str = CONFIG, **parts: Any) -> Settings:
    """Settings whose route names a calibration that was made for `CONFIG`."""
    path = folder / "gateway.toml"
    path.write_text(CONFIG)
    plain = load(path)
    write_artefact(artefact(binding=binding_of(plain, plain.routes[0]), **parts), folder / "mine.toml")
    path.write_text(f"{config}{extra}\n")
    return load(path)


def policies(settings: Settings, uncertain: int = 0) -> tuple[object, object]:
    """The policy of the first request, and of one after so many uncertain ones."""

    async def main() -> tuple[object, object]:
        async with compose(settings, scorer=ScriptedScorer()) as routes:
            pace = routes["auto"].pace
            assert pace is not None
            first = routes["auto"].router.plan.policy
            for _ in range(uncertain):
                pace.settle(UNCERTAIN, escalated=True, cost=1.0)
            return first, pace.policy()

    return asyncio.run(main())


def test_the_threshold_of_a_calibration_beside_the_file_decides(tmp_path: Path) -> None:
    assert policies(written(tmp_path)) == (Calibrated(0.4, 0.25),) * 2


def test_drift_falls_back_to_the_conservative_threshold_unless_told_not_to(tmp_path: Path) -> None:
    assert policies(written(tmp_path), 100)[1] == Threshold(0.1)
    ignoring = written(tmp_path, 'calibration = "mine.toml"\non_drift = "ignore"')
    assert policies(ignoring, 100)[1] == Calibrated(0.4, 0.25)


def test_a_policy_that_weighs_is_told_what_the_calibration_knows(tmp_path: Path) -> None:
    known: dict[str, Any] = {"score": ScoreFit.of(Platt(2.0, 0.5)), "gain_q0": 0.7, "gain_q1": 0.9}
    settings = written(tmp_path, 'policy = "gain"\ncalibration = "mine.toml"', **known)
    first, drifted = policies(settings, 100)
    assert first == Recalibrated(Gain(keeps=0.9, rescues=0.7), Platt(2.0, 0.5))
    assert drifted == Threshold(0.1)


def test_a_rate_is_followed_from_the_threshold_of_the_calibration_or_of_the_file(tmp_path: Path) -> None:
    calibrated = written(tmp_path, 'calibration = "mine.toml"\nescalation_rate = 0.5')
    first, later = policies(calibrated, 1)
    assert first == Jittered(0.4)
    assert isinstance(later, Jittered)
    assert later.limit == pytest.approx(0.41)
    assert policies(written(tmp_path, "escalation_rate = 0.5\nthreshold = 0.7"))[0] == Jittered(0.7)


def test_money_is_followed_by_what_an_escalation_is_worth(tmp_path: Path) -> None:
    settings = written(
        tmp_path, 'calibration = "mine.toml"\nspend_per_request = 0.001', score=ScoreFit.of(Platt(1.0, 0.0))
    )
    first, later = policies(settings, 1)
    assert isinstance(first, Jittered)
    assert first.limit == pytest.approx(0.08 / 0.68)
    assert later == Threshold(1.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"small"', '"other"'), "cheap was 'small' and is 'other'"),
        (('"big"', '"bigger"'), "large was 'big' and is 'bigger'"),
        (("Be brief.", "Be long."), "answer_sha256 was"),
    ],
)
def test_another_route_is_refused_by_check_and_compose_with_what_differs(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    settings = written(tmp_path, config=CONFIG.replace(*change))
    errors = [f for f in asyncio.run(check(settings)) if f.severity is Severity.ERROR]
    assert [(f.subject, words in f.message) for f in errors] == [("route auto", True)]
    with pytest.raises(ConfigError, match=r"route auto: calibration .*mine\.toml is not of this route: ") as caught:
        policies(settings)
    assert words in str(caught.value)


@pytest.mark.parametrize("probes", ['suffix = "Answer only."', 'until = "claim"', "params = { top_p = 0.9 }"])
def test_probes_that_say_less_are_another_route(tmp_path: Path, probes: str) -> None:
    with pytest.raises(ConfigError, match="answer_sha256 was"):
        policies(written(tmp_path, f'calibration = "mine.toml"\nprobes = {{ {probes} }}'))


def test_other_probes_are_named_each(tmp_path: Path) -> None:
    more = "probes = { count = 3, max_tokens = 7, temperature = 0.5 }"
    with pytest.raises(ConfigError, match="probes was 5 and is 3; max_tokens was 96 and is 7; temperature was"):
        policies(written(tmp_path, f'calibration = "mine.toml"\n{more}'))


def test_another_judge_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = written(tmp_path)
    made = binding_of(settings, settings.routes[0])
    monkeypatch.setattr(
        "streamroute.config.binding.binding_of", lambda *_: msgspec.structs.replace(made, judge_sha256="f" * 64)
    )
    with pytest.raises(ConfigError, match=r"judge_sha256 was '.*' and is 'ffffffffffff\.\.\.'"):
        policies(settings)


def test_a_file_that_is_not_there_is_an_error_of_its_route(tmp_path: Path) -> None:
    settings = written(tmp_path, 'calibration = "none.toml"')
    errors = [f.message for f in asyncio.run(check(settings)) if f.severity is Severity.ERROR]
    assert len(errors) == 1
    assert "none.toml: no such file" in errors[0]


def test_check_says_what_a_calibration_holds(tmp_path: Path) -> None:
    found = [f.message for f in asyncio.run(check(written(tmp_path))) if "calibrated" in f.message]
    assert found == ["calibrated on 2026-01-02: escalates above 0.400; no certificate (none was asked for)"]


def test_check_warns_of_what_a_certificate_does_not_cover(tmp_path: Path) -> None:
    promise = Promise(kind="selective", alpha=0.1, delta=0.1, n=100, kept=50, bad=1, bound=0.08)
    follows = 'calibration = "mine.toml"\non_timeout = "escalate"\nescalation_rate = 0.3'
    found = asyncio.run(check(written(tmp_path, follows, certificate=promise)))
    assert [f.message for f in found if f.severity is Severity.WARNING] == [
        "its certificate is of judged answers; on_uncertain = accept keeps others too",
        "its certificate is of a fixed threshold, and this one follows the traffic",
    ]


def test_a_share_to_shadow_needs_a_file_for_its_records(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"route\[0\].shadow: its records need a `records_file`"):
        written(tmp_path, "shadow = 0.03")
    settings = written(tmp_path, "shadow = 0.03", config=f'[server]\nrecords_file = "r.jsonl"\n{CONFIG}')

    async def main() -> None:
        async with compose(settings, scorer=ScriptedScorer()) as routes:
            assert routes["auto"].shadow is not None
        async with compose(written(tmp_path), scorer=ScriptedScorer()) as routes:
            assert routes["auto"].shadow is None

    asyncio.run(main())


def test_settings_that_exclude_each_other_are_named(tmp_path: Path) -> None:
    for extra, words in (
        ('calibration = "mine.toml"\nescalation_rate = 0.5\nspend_per_request = 1.0', "not both"),
        ("spend_per_request = 1.0", r"spend_per_request: needs a `calibration`"),
    ):
        with pytest.raises(ConfigError, match=words):
            written(tmp_path, extra)
    unpriced = CONFIG.replace("price = { prompt = 1.0, completion = 4.0 }", "")
    with pytest.raises(ConfigError, match="large has no price"):
        policies(written(tmp_path, 'calibration = "mine.toml"\nspend_per_request = 1.0', config=unpriced))


def test_a_fitted_score_becomes_the_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []

    class Judge(ScriptedScorer):
        def __init__(self, model: object, **settings: Any) -> None:
            super().__init__()
            made.append(settings)

    monkeypatch.setattr("streamroute.uncertainty.judge.SemanticEntropy", Judge)
    logistic, platt = Logistic(-1.0, {"entropy": 2.0}, {"entropy": 0.4}), Platt(1.5, 0.1)
    settings = written(tmp_path, score=ScoreFit.of(platt, logistic))

    async def main() -> None:
        async with compose(settings):
            pass

    asyncio.run(main())
    assert made[0]["most_probes"] == most_probes(settings.routes[0].probes.count) == 8
    x = Features(disagreement=0.5, contradiction=0.0, entropy=0.25, snne=0.0)
    assert made[0]["score"](x) == platt(logistic(x))
