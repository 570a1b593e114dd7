"""How fast models and judge are said to be, where a record does not say: the stated timings of a simulation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from streamroute.config.strict import read_strictly
from streamroute.core.types import CHARACTERS_PER_TOKEN
from streamroute.evaluation.rows import Timing

__all__ = ("JudgePace", "Pace", "Timings", "estimated_tokens", "read_timings")


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: an unknown key is an error."""


class Pace(_Table, frozen=True, kw_only=True):
    """`first`: seconds to the first token. `rate`: tokens per second from there on."""

    first: Annotated[float, Meta(ge=0)]
    rate: Annotated[float, Meta(gt=0)]

    def timing(self, tokens: int) -> Timing:
        """Of a text of `tokens` tokens, evenly spaced: the last one is its end."""
        return Timing(first=self.first, end=self.first + max(tokens - 1, 0) / self.rate, tokens=tokens)


class JudgePace(_Table, frozen=True, kw_only=True):
    """Seconds that one question to the judge takes: `verdict` for each, and `pair` for each pair of texts that is new
    to it. The defaults are what `benchmarks.judge_verdict` finds on two cores without VNNI."""

    verdict: Annotated[float, Meta(ge=0)] = 0.005
    pair: Annotated[float, Meta(ge=0)] = 0.014


class Timings(_Table, frozen=True, kw_only=True):
    """`probes` are as fast as `cheap` where nothing else is said; a probe ends after `probe_tokens` tokens, as a
    `ProbePlan` has it. A recorded timing goes before a stated one."""

    cheap: Pace = Pace(first=0.35, rate=80)
    large: Pace = Pace(first=0.9, rate=40)
    probes: Pace | None = None
    probe_tokens: Annotated[int, Meta(ge=1)] = 96
    judge: JudgePace = JudgePace()

    @property
    def of_probes(self) -> Pace:
        return self.cheap if self.probes is None else self.probes


def read_timings(path: Path) -> Timings:
    """A TOML file with any of the tables cheap, large, probes (`first`, `rate`), judge (`verdict`, `pair`), and
    `probe_tokens`. Raises `ConfigError`, naming the key."""
    return read_strictly(path, Timings)


def estimated_tokens(text: str) -> int:
    """At least one where there is any text."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)
