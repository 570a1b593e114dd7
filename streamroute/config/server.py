"""The settings of the server itself: where it listens, what it bears, who may ask it, what it keeps."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from streamroute.config.tables import Count, EnvName, Money, Name, Probability, Seconds, Table, Wait

__all__ = ("BudgetSettings", "KeySettings", "LimitSettings", "OtelSettings", "ServerSettings")


class BudgetSettings(Table, frozen=True, kw_only=True):
    """Money that may be spent in a day and in a calendar month (both UTC); None: any."""

    day: Money | None = None
    month: Money | None = None


class LimitSettings(Table, frozen=True, kw_only=True):
    """What one client may take. Times in seconds, sizes in bytes.

    `header_seconds` and `body_seconds` are how long a request may take to come in, `idle_seconds` how long a connection
    may wait for its next one, `write_seconds` how long a client may read nothing of what is sent to it. `depth` bounds
    the nesting of a body, `reply_bytes` what an upstream may send for one request.
    """

    header_seconds: Seconds = 10.0
    body_seconds: Seconds = 30.0
    idle_seconds: Seconds = 75.0
    write_seconds: Seconds = 30.0
    header_bytes: Count = 8190
    headers: Count = 100
    depth: Annotated[int, Meta(ge=1, le=500)] = 64
    reply_bytes: Count = 64 * 1024 * 1024


class OtelSettings(Table, frozen=True, kw_only=True):
    """Where traces go, by OTLP over HTTP: to `/v1/traces` at `endpoint`. What its headers must be (keys too) is read
    from the environment variable OTEL_EXPORTER_OTLP_HEADERS, never from this file. Of the traces that begin here the
    share `sample` is kept; of one that a client began, as the client says."""

    endpoint: Annotated[str, Meta(pattern=r"^https?://[^/@\s]+[^@\s]*$")]
    service_name: Annotated[str, Meta(min_length=1)] = "streamroute"
    sample: Probability = 1.0


class ServerSettings(Table, frozen=True, kw_only=True):
    """`api_key_env` names the environment variable with a key that may ask for everything; `[[key]]` adds others.

    `records_file` gets a record of each judged request, `feedback_file` what `POST /v1/feedback` is told: both are what
    `streamroute calibrate` reads. `ledger_file` is the SQLite file of every leg of every request; without it the last
    `ledger_rows` requests are kept in memory. After `keep_alive` seconds of silence a comment is sent to a streaming
    client, so that nothing between takes the connection for dead. `workers` processes listen on one port.
    `log_texts` puts prompts and answers into the log. With `otel` every request leaves a trace.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    workers: Count = 1
    api_key_env: EnvName | None = None
    max_body_bytes: Count = 16 * 1024 * 1024
    drain_seconds: Wait = 10.0
    keep_alive: Seconds = 15.0
    limits: LimitSettings = LimitSettings()
    records_file: str | None = None
    feedback_file: str | None = None
    ledger_file: str | None = None
    ledger_rows: Count = 10_000
    log_texts: bool = False
    otel: OtelSettings | None = None


class KeySettings(Table, frozen=True, kw_only=True):
    """A client's key, by its hash: `streamroute keys new` makes both. Of `routes` (and tiers) it may ask for all where
    none are named. With `board` it may read the metrics, the board and every decision, not only its own."""

    name: Name
    hash: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
    routes: tuple[Name, ...] = ()
    requests_per_minute: Count | None = None
    budget: BudgetSettings = BudgetSettings()
    board: bool = False
