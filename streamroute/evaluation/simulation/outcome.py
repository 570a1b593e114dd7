"""What became of one simulated route, and what its legs cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from streamroute.errors import ConfigError
from streamroute.routing.tiers import Price

__all__ = ("Billing", "Outcome")


@dataclass(frozen=True, slots=True)
class Billing:
    """Whose tokens cost what. `prices` by tier. A cancelled leg is billed for what it has `generated`, or in `full`
    where a back-end runs on after its reader has left. `together`: probes that start together share one prompt."""

    prices: tuple[Price, ...]
    cancelled: Literal["generated", "full"] = "generated"
    together: bool = False

    @classmethod
    def of_ratio(
        cls,
        ratio: float,
        *,
        prompt: float = 0.25,
        cancelled: Literal["generated", "full"] = "generated",
        together: bool = False,
    ) -> Billing:
        """Two tiers, of which the large one is `ratio` times as dear. A token of a prompt costs `prompt` times what a
        generated one does. Costs are then in generated tokens of the cheap tier. Raises `ConfigError`."""
        if not (ratio > 0 and prompt >= 0):
            raise ConfigError(f"prices must be positive: the large tier's {ratio}, a prompt token's {prompt}")
        million = 1e6  # prices are for that many
        return cls(
            (
                Price(prompt=prompt * million, completion=million),
                Price(prompt=prompt * ratio * million, completion=ratio * million),
            ),
            cancelled,
            together,
        )


class Outcome(NamedTuple):
    """One route. Times are in seconds since the reader asked, None for what never came; tokens are those billed.

    `tier` is the one that was kept; `failed`: none was. `correct`: whether what was kept is right, None where nobody
    said. `cost` is of all legs, `waste` the part of it for answers that were not kept and for probes that nobody heard,
    `large_cost` the part for tiers above the first. `first_shown` and `first_kept`: the first content, and the first of
    what was kept. `withdrawn_tokens` had been shown when they were retracted or superseded. `probes` were heard, of
    `probes_started`. `verdicts` and `nli_pairs` are what the judge was asked. `hedged`: a larger tier was started
    before the verdict; `hedge_won`: and kept.
    """

    id: str
    tier: int
    failed: bool
    reason: str
    correct: bool | None
    cost: float
    waste: float
    first_shown: float | None
    first_kept: float | None
    decided: float | None
    finished: float
    retracted: bool
    withdrawn_tokens: int
    wasted_cheap: int
    wasted_probe: int
    wasted_large: int
    probe_tokens: int
    probes: int
    probes_started: int
    verdicts: int
    nli_pairs: int
    hedged: bool
    hedge_won: bool
    large_cost: float

    @property
    def escalated(self) -> bool:
        return self.tier > 0
