"""The settings of a gateway as frozen values. `examples/gateway.toml` explains each of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from streamroute.config.server import BudgetSettings, KeySettings, LimitSettings, OtelSettings, ServerSettings
from streamroute.config.tables import Count, Money, Name, Probability, Seconds, Table
from streamroute.config.upstreams import (
    BreakerSettings,
    LocalSettings,
    OpenAISettings,
    PriceSettings,
    RetrySettings,
    TimeoutSettings,
    UpstreamSettings,
)
from streamroute.core.gain import RIGHT_WHERE_RIGHT, RIGHT_WHERE_WRONG
from streamroute.core.types import Release

__all__ = (
    "AmplificationSettings",
    "AutoSettings",
    "BreakerSettings",
    "BudgetSettings",
    "GainSettings",
    "HedgeSettings",
    "KeySettings",
    "LimitSettings",
    "LocalSettings",
    "OpenAISettings",
    "OtelSettings",
    "PrerouterSettings",
    "PriceSettings",
    "ProbeSettings",
    "QualitySettings",
    "RetrySettings",
    "RouteSettings",
    "ServerSettings",
    "Settings",
    "StoppingSettings",
    "TimeoutSettings",
    "TimingSettings",
    "UpstreamSettings",
)


class ProbeSettings(Table, frozen=True, kw_only=True):
    """The samples that the cheap tiers' answers are judged by; `count = 0` judges nothing."""

    count: Annotated[int, Meta(ge=0, le=64)] = 5
    wave: Count | None = None
    after: Literal["start", "first_token"] = "start"
    skip_confident: Annotated[float, Meta(gt=0, le=1)] | None = None
    max_tokens: Count = 96
    temperature: Annotated[float, Meta(ge=0, le=2)] = 1.0
    params: dict[str, Any] = field(default_factory=dict)
    suffix: str = ""
    until: Literal["end", "claim"] = "end"


class StoppingSettings(Table, frozen=True, kw_only=True):
    """When probing stops, for the `policy` of a route that stops early; each reads its own (METHOD 3.3).

    `stopping-table`: prices in values of a right answer, and how often the large model is right where the cheap answer
    is right and where it is wrong; without an `escalation_price` the route's threshold stands. `adaptive-consistency`:
    `confidence`. `esc`: `window`. `sprt`: how often a probe agrees with a right and with a wrong answer, error rates.
    """

    probe_price: Money = 0.005
    escalation_price: Money | None = None
    right_when_right: Probability = RIGHT_WHERE_RIGHT
    right_when_wrong: Probability = RIGHT_WHERE_WRONG
    confidence: Probability = 0.95
    window: Count = 3
    agree_if_right: Probability = 0.85
    agree_if_wrong: Probability = 0.35
    false_keep: Probability = 0.1
    false_escalation: Probability = 0.1


class QualitySettings(Table, frozen=True, kw_only=True):
    """What `policy = "cascade-routing"` weighs. Costs are in answers of the dearest tier.

    `trade` is the quality that one such answer must bring (METHOD 5.4: a right answer is worth 20 of them), `second`
    what a second of waiting costs, `annoyance` the seconds that withdrawing shown text weighs. `right` and `wrong` are
    how often a tier is right where the one below it is right, and where it is wrong; `delay` the seconds until it
    speaks: one number for each tier after the first, the last repeated. `mix` is the share of ties that go to the
    dearest.
    """

    trade: Money = 0.05
    second: Money = 0.0
    annoyance: Money = 2.0
    mix: Probability = 0.0
    right: Annotated[tuple[Probability, ...], Meta(min_length=1)] = (RIGHT_WHERE_RIGHT,)
    wrong: Annotated[tuple[Probability, ...], Meta(min_length=1)] = (RIGHT_WHERE_WRONG,)
    delay: Annotated[tuple[Money, ...], Meta(min_length=1)] = (0.9,)


class GainSettings(Table, frozen=True, kw_only=True):
    """What `policy = "gain"` weighs (METHOD 2.5, 5.4). Prices are in values of one right answer.

    `keeps` is how often the largest model is right where the cheap one is, `rescues` how often where it is not; with a
    calibration, its own hold where they are not set. `cost` is of a larger answer, `saving` of what the cheap one
    leaves unsaid when it is cut off, `second` of a reader's time. `large_first` is in seconds, and so is `annoyance`:
    what taking a shown answer back is as bad as, to which `reading` adds for each second of reading. What was read for
    longer than `append_after` is not taken back.
    """

    keeps: Probability | None = None
    rescues: Probability | None = None
    cost: Money = 0.05
    saving: Money = 0.0
    second: Money = 0.01
    large_first: Money = 0.9
    annoyance: Money = 2.0
    reading: Money = 0.5
    append_after: Money = 6.0


Step = Literal["off", "judge", "skip_cheap", "skip_probes"]


class PrerouterSettings(Table, frozen=True, kw_only=True):
    """What the prompt alone decides, rule by rule: `skip_cheap` starts at the second tier, `skip_probes` takes the
    cheap answer unjudged, `judge` ends the search without a change, `off` never applies. Nothing is decided unless this
    table is there. `long` applies from `long_characters` on, `language` to what does not look English."""

    trivial: Step = "skip_probes"
    code: Step = "skip_cheap"
    maths: Step = "skip_cheap"
    language: Step = "skip_cheap"
    open_ended: Step = "skip_probes"
    long: Step = "off"
    long_characters: Count = 4000


class TimingSettings(Table, frozen=True, kw_only=True):
    """What is known of a route's speed, for `streamroute check`: seconds to the first token of either model, tokens a
    second, mean and standard deviation of the time from the cheap model's first token to the decision, and the share of
    requests that is escalated. The defaults are those of METHOD 5.1."""

    cheap_first: Seconds = 0.35
    large_first: Seconds = 0.9
    cheap_rate: Seconds = 100.0
    large_rate: Seconds = 50.0
    decision_mean: Seconds = 0.8
    decision_sd: Annotated[float, Meta(ge=0)] = 0.4
    escalated: Probability = 0.25


class AutoSettings(Table, frozen=True, kw_only=True):
    """When `release = "auto"` holds an answer, and what becomes of a shown one on escalation. Times in seconds."""

    annoyance: Annotated[float, Meta(ge=0)] = 9.0
    decision_gap: Annotated[float, Meta(ge=0)] = 0.8
    prior: Probability = 0.25
    on_escalation: Literal["retract", "append", "continue"] = "retract"


class HedgeSettings(Table, frozen=True, kw_only=True):
    """When the next tier is worth starting early. Money in any one currency, times in seconds."""

    waste: Money
    second: Money
    large_first: Seconds
    decision: Seconds
    prior: Probability = 0.25


class AmplificationSettings(Table, frozen=True, kw_only=True):
    """What a route may ask for beyond the one answer that each request gets anyway: probes, hedges and repeated tries,
    for one request and in a minute, in calls and in money. What is over it is left out, and the reply says so: probes
    first, to the last but one, then the hedge, then the judging."""

    calls_per_request: Annotated[int, Meta(ge=0)] | None = None
    calls_per_minute: Annotated[int, Meta(ge=0)] | None = None
    cost_per_request: Money | None = None
    cost_per_minute: Money | None = None


Policy = Literal["threshold", "stopping-table", "adaptive-consistency", "esc", "sprt", "cascade-routing", "gain"]


class RouteSettings(Table, frozen=True, kw_only=True):
    """One name that clients may ask for, and how it is answered.

    `tiers` are names of upstreams, cheapest first. `threshold` is the uncertainty score above which an answer is not
    kept; `policy` and `stopping` say when enough probes have been judged to tell. `calibration` is the file of one that
    takes its place. `escalation_rate` and `spend_per_request` move the threshold with the traffic, to that share and to
    that money; `on_drift` says whether the conservative threshold of the calibration applies once the scores are no
    longer its. A share `shadow` of requests is answered again by all tiers, unseen, for records with a label.
    `decision_deadline` and `hedge_after` are in seconds, infinite for never. `unjudged_tier` serves what cannot be
    judged (tools, several choices, images ...); the last tier where it is not named.
    """

    name: Name
    tiers: Annotated[tuple[Name, ...], Meta(min_length=1)]
    release: Release = Release.HOLD
    threshold: Probability = 0.5
    policy: Policy = "threshold"
    stopping: StoppingSettings = StoppingSettings()
    calibration: str | None = None
    escalation_rate: Probability | None = None
    spend_per_request: Annotated[float, Meta(gt=0)] | None = None
    on_drift: Literal["fall_back", "ignore"] = "fall_back"
    shadow: Probability = 0.0
    decision_deadline: Seconds = 2.5
    on_timeout: Literal["accept", "escalate"] = "accept"
    on_uncertain: Literal["accept", "escalate"] = "accept"
    hedge_after: Annotated[float, Meta(ge=0)] = float("inf")
    insurance: bool = False
    unjudged_tier: Name | None = None
    on_break: Literal["fail", "continue"] = "fail"
    budget: BudgetSettings = BudgetSettings()
    amplification: AmplificationSettings = AmplificationSettings()
    auto: AutoSettings = AutoSettings()
    hedge: HedgeSettings | None = None
    probes: ProbeSettings = ProbeSettings()
    quality: QualitySettings = QualitySettings()
    gain: GainSettings = GainSettings()
    prerouter: PrerouterSettings | None = None
    timings: TimingSettings | None = None

    @property
    def unjudged_index(self) -> int:
        return len(self.tiers) - 1 if self.unjudged_tier is None else self.tiers.index(self.unjudged_tier)


class Settings(Table, frozen=True, kw_only=True):
    """All of it. Consistent when it comes from `streamroute.config.load`."""

    server: ServerSettings = ServerSettings()
    upstreams: tuple[UpstreamSettings, ...] = field(name="upstream", default=())
    routes: tuple[RouteSettings, ...] = field(name="route", default=())
    keys: tuple[KeySettings, ...] = field(name="key", default=())

    def upstream(self, name: str) -> UpstreamSettings:
        """Raises KeyError for a name that is not there."""
        for upstream in self.upstreams:
            if upstream.name == name:
                return upstream
        raise KeyError(name)

    def route(self, name: str) -> RouteSettings:
        """Raises KeyError for a name that is not there."""
        for route in self.routes:
            if route.name == name:
                return route
        raise KeyError(name)
