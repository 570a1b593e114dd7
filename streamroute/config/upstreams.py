"""The settings of the models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from streamroute.config.tables import Count, EnvName, Money, Name, Seconds, Table, Wait

__all__ = (
    "BreakerSettings",
    "LocalSettings",
    "OpenAISettings",
    "PriceSettings",
    "RetrySettings",
    "TimeoutSettings",
    "UpstreamSettings",
)


class PriceSettings(Table, frozen=True, kw_only=True):
    """Money per million tokens."""

    prompt: Money = 0.0
    completion: Money = 0.0


class _Tier(Table, frozen=True, kw_only=True):
    """What holds for every kind of model.

    `params` are defaults for the body of each request (the client's own win), `system` is put before requests that
    bring no system message. `prefill` says that the model goes on from a last message of the assistant's.
    """

    name: Name
    params: dict[str, Any] = field(default_factory=dict)
    system: str | None = None
    price: PriceSettings = PriceSettings()
    prefill: bool = False


class TimeoutSettings(Table, frozen=True, kw_only=True):
    """How many seconds a server may take to be connected to, to say the first token, between two, to the end of the
    reply once the answer has ended, and altogether."""

    connect: Seconds = 5.0
    first: Seconds = 60.0
    between: Seconds = 30.0
    tail: Seconds = 2.0
    total: Seconds = 600.0


class RetrySettings(Table, frozen=True, kw_only=True):
    """How often an answer is asked for again that failed before its first content, and how long to wait before: at
    random up to `wait` seconds, twice as long each time, `longest` at most. A Retry-After beyond `longest` is not
    waited for."""

    attempts: Annotated[int, Meta(ge=0, le=10)] = 1
    wait: Wait = 0.25
    longest: Wait = 5.0


class BreakerSettings(Table, frozen=True, kw_only=True):
    """After `failures` in a row nothing is asked of the server for `seconds`; then one request tries it."""

    failures: Count = 5
    seconds: Seconds = 15.0


Serves = Literal["chat", "completions", "embeddings"]


class OpenAISettings(_Tier, frozen=True, kw_only=True, tag_field="kind", tag="openai"):
    """An OpenAI-compatible server. The key is read from the environment variable `api_key_env` or the file
    `api_key_file`, never from this one.

    `serves` are the endpoints that it has. `include_usage = false` is for servers that refuse `stream_options`.
    `cancel_billing` is what a request costs that is cut off: what was `generated`, the `full` answer (its length is
    then estimated by that of those that ended), or it is `unknown`, which is counted like `generated` and marked.
    """

    base_url: Annotated[str, Meta(pattern=r"^https?://[^/@\s]+[^@\s]*$")]
    model: Annotated[str, Meta(min_length=1)]
    api_key_env: EnvName | None = None
    api_key_file: str | None = None
    supports_n: bool = False
    include_usage: bool = True
    serves: Annotated[tuple[Serves, ...], Meta(min_length=1)] = ("chat", "completions", "embeddings")
    timeouts: TimeoutSettings = TimeoutSettings()
    retries: RetrySettings = RetrySettings()
    breaker: BreakerSettings = BreakerSettings()
    cancel_billing: Literal["generated", "full", "unknown"] = "generated"


class LocalSettings(_Tier, frozen=True, kw_only=True, tag_field="kind", tag="local"):
    """A model in this process: `model` is a name that `streamroute models list` knows, `file` a GGUF file.

    `context` is how many tokens all requests that run at once may hold.
    """

    model: str | None = None
    file: str | None = None
    threads: Count | None = None
    context: Count | None = None


UpstreamSettings = OpenAISettings | LocalSettings
