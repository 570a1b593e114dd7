"""The settings of a gateway as frozen values. `examples/gateway.toml` explains each of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from streamroute.core.types import Release

__all__ = (
    "LocalSettings",
    "OpenAISettings",
    "PrerouterSettings",
    "PriceSettings",
    "ProbeSettings",
    "QualitySettings",
    "RouteSettings",
    "ServerSettings",
    "Settings",
    "TimeoutSettings",
    "TimingSettings",
    "UpstreamSettings",
)

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$")]
EnvName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Seconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Money = Annotated[float, Meta(ge=0)]
Probability = Annotated[float, Meta(ge=0, le=1)]


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: an unknown key is an error."""


class ServerSettings(_Table, frozen=True, kw_only=True):
    """`api_key_env` names the environment variable with the key that clients must present. Times in seconds."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    api_key_env: EnvName | None = None
    max_body_bytes: Count = 16 * 1024 * 1024
    drain_seconds: Annotated[float, Meta(ge=0)] = 10.0


class PriceSettings(_Table, frozen=True, kw_only=True):
    """Money per million tokens."""

    prompt: Money = 0.0
    completion: Money = 0.0


class _Tier(_Table, frozen=True, kw_only=True):
    """What holds for every kind of model.

    `params` are defaults for the body of each request (the client's own win), `system` is put before requests that
    bring no system message.
    """

    name: Name
    params: dict[str, Any] = {}
    system: str | None = None
    price: PriceSettings = PriceSettings()


class TimeoutSettings(_Table, frozen=True, kw_only=True):
    """How many seconds a server may take to be connected to, to say the first token, between two, and altogether."""

    connect: Seconds = 5.0
    first: Seconds = 60.0
    between: Seconds = 30.0
    total: Seconds = 600.0


class OpenAISettings(_Tier, frozen=True, kw_only=True, tag_field="kind", tag="openai"):
    """An OpenAI-compatible server. The key is read from the environment variable `api_key_env`, never from the file."""

    base_url: Annotated[str, Meta(pattern=r"^https?://[^/@\s]+[^@\s]*$")]
    model: Annotated[str, Meta(min_length=1)]
    api_key_env: EnvName | None = None
    supports_n: bool = False
    timeouts: TimeoutSettings = TimeoutSettings()


class LocalSettings(_Tier, frozen=True, kw_only=True, tag_field="kind", tag="local"):
    """A model in this process: `model` is a name that `streamroute models list` knows, `file` a GGUF file.

    `context` is how many tokens all requests that run at once may hold.
    """

    model: str | None = None
    file: str | None = None
    threads: Count | None = None
    context: Count | None = None


UpstreamSettings = OpenAISettings | LocalSettings


class ProbeSettings(_Table, frozen=True, kw_only=True):
    """The samples that the cheap tiers' answers are judged by; `count = 0` judges nothing."""

    count: Annotated[int, Meta(ge=0, le=64)] = 5
    wave: Count | None = None
    after: Literal["start", "first_token"] = "start"
    max_tokens: Count = 96
    temperature: Annotated[float, Meta(ge=0, le=2)] = 1.0
    params: dict[str, Any] = {}


class QualitySettings(_Table, frozen=True, kw_only=True):
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
    right: Annotated[tuple[Probability, ...], Meta(min_length=1)] = (0.92,)
    wrong: Annotated[tuple[Probability, ...], Meta(min_length=1)] = (0.6,)
    delay: Annotated[tuple[Money, ...], Meta(min_length=1)] = (0.9,)


Step = Literal["off", "judge", "skip_cheap", "skip_probes"]


class PrerouterSettings(_Table, frozen=True, kw_only=True):
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


class TimingSettings(_Table, frozen=True, kw_only=True):
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


class RouteSettings(_Table, frozen=True, kw_only=True):
    """One name that clients may ask for, and how it is answered.

    `tiers` are names of upstreams, cheapest first. `threshold` is the uncertainty score above which an answer is not
    kept. `decision_deadline` and `hedge_after` are in seconds, infinite for never. `unjudged_tier` serves what cannot
    be judged (tools, several choices, images ...); the last tier where it is not named.
    """

    name: Name
    tiers: Annotated[tuple[Name, ...], Meta(min_length=1)]
    release: Release = Release.HOLD
    policy: Literal["threshold", "cascade-routing"] = "threshold"
    threshold: Probability = 0.5
    decision_deadline: Seconds = 2.5
    on_timeout: Literal["accept", "escalate"] = "accept"
    on_uncertain: Literal["accept", "escalate"] = "accept"
    hedge_after: Annotated[float, Meta(ge=0)] = float("inf")
    unjudged_tier: Name | None = None
    probes: ProbeSettings = ProbeSettings()
    quality: QualitySettings = QualitySettings()
    prerouter: PrerouterSettings | None = None
    timings: TimingSettings | None = None

    @property
    def unjudged_index(self) -> int:
        return len(self.tiers) - 1 if self.unjudged_tier is None else self.tiers.index(self.unjudged_tier)


class Settings(_Table, frozen=True, kw_only=True):
    """All of it. Consistent when it comes from `streamroute.config.load`."""

    server: ServerSettings = ServerSettings()
    upstreams: tuple[UpstreamSettings, ...] = field(name="upstream", default=())
    routes: tuple[RouteSettings, ...] = field(name="route", default=())

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
