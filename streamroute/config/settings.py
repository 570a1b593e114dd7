"""The settings of a gateway as frozen values. `examples/gateway.toml` explains each of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from streamroute.core.types import Release

__all__ = (
    "ExpectedSettings",
    "LocalSettings",
    "OpenAISettings",
    "PriceSettings",
    "ProbeSettings",
    "RouteSettings",
    "ServerSettings",
    "Settings",
    "TimeoutSettings",
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
    """`api_key_env` names the environment variable with the key that clients must present. Times in seconds.

    `records_file` gets a record of each judged request, `feedback_file` what `POST /v1/feedback` is told: both are what
    `streamroute calibrate` reads.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    api_key_env: EnvName | None = None
    max_body_bytes: Count = 16 * 1024 * 1024
    drain_seconds: Annotated[float, Meta(ge=0)] = 10.0
    records_file: str | None = None
    feedback_file: str | None = None


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


class ExpectedSettings(_Table, frozen=True, kw_only=True):
    """What `check` reckons with, in seconds: to each tier's first token, from the cheap one to the verdict (mean and
    standard deviation), from a first token to the end of the answer; and the share of requests that is escalated."""

    cheap_first: Seconds = 0.35
    large_first: Seconds = 0.9
    verdict_mean: Seconds = 0.8
    verdict_spread: Annotated[float, Meta(ge=0)] = 0.4
    cheap_rest: Seconds = 3.0
    large_rest: Seconds = 6.0
    escalated: Probability = 0.3


class RouteSettings(_Table, frozen=True, kw_only=True):
    """One name that clients may ask for, and how it is answered.

    `tiers` are names of upstreams, cheapest first. `threshold` is the uncertainty score above which an answer is not
    kept; `calibration` is the file of one that takes its place. `escalation_rate` and `spend_per_request` move the
    threshold with the traffic, to that share and to that money; `on_drift` says whether the conservative threshold of
    the calibration applies once the scores are no longer its. A share `shadow` of requests is answered again by all
    tiers, unseen, for records with a label. `decision_deadline` and `hedge_after` are in seconds, infinite for never.
    `unjudged_tier` serves what cannot be judged (tools, several choices, images ...); the last tier
    where it is not named.
    """

    name: Name
    tiers: Annotated[tuple[Name, ...], Meta(min_length=1)]
    release: Release = Release.HOLD
    threshold: Probability = 0.5
    calibration: str | None = None
    escalation_rate: Probability | None = None
    spend_per_request: Annotated[float, Meta(gt=0)] | None = None
    on_drift: Literal["fall_back", "ignore"] = "fall_back"
    shadow: Probability = 0.0
    decision_deadline: Seconds = 2.5
    on_timeout: Literal["accept", "escalate"] = "accept"
    on_uncertain: Literal["accept", "escalate"] = "accept"
    hedge_after: Annotated[float, Meta(ge=0)] = float("inf")
    unjudged_tier: Name | None = None
    probes: ProbeSettings = ProbeSettings()
    expected: ExpectedSettings = ExpectedSettings()

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
