"""What a report is of: record sets and prices, in a file for readers to change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from streamroute.config.strict import read_strictly
from streamroute.evaluation.simulation.outcome import Billing

__all__ = ("Records", "Settings", "read_settings")

Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
Money = Annotated[float, Meta(ge=0)]


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: an unknown key is an error."""


class Records(_Table, frozen=True, kw_only=True):
    """A file of routing rows. `kinds`: only questions of these; `texts` may be quoted in the report."""

    name: str
    file: str
    kinds: tuple[str, ...] = ()
    texts: bool = False


class Settings(_Table, frozen=True, kw_only=True):
    """See `benchmarks/report.toml`."""

    samples: Count = 5
    share: Share = 0.95
    price_ratio: Annotated[float, Meta(gt=0)] = 15.0
    prompt_price: Money = 0.25
    together: bool = True
    threshold: Share = 0.5
    deadline: Annotated[float, Meta(gt=0)] = 10.0
    resamples: Count = 1000
    counts: tuple[Count, ...] = (1, 2, 3, 5)
    records: tuple[Records, ...] = ()

    @property
    def billing(self) -> Billing:
        return Billing.of_ratio(self.price_ratio, prompt=self.prompt_price, together=self.together)


def read_settings(path: Path) -> Settings:
    """Raises `ConfigError`, naming the file and the key."""
    return read_strictly(path, Settings)
