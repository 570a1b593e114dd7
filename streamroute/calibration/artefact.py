"""The result of a calibration as a file: versioned, readable, and bound to all that it depends on."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from streamroute.calibration.drift import Reference
from streamroute.calibration.recalibrate import Isotonic, Platt, Recalibration
from streamroute.calibration.thresholds import Gain
from streamroute.core.types import Features
from streamroute.errors import ConfigError
from streamroute.uncertainty.fitted import Logistic

__all__ = (
    "FORMAT",
    "Achieved",
    "Artefact",
    "Binding",
    "Promise",
    "ScoreFit",
    "Target",
    "ThresholdFit",
    "dumps_artefact",
    "loads_artefact",
    "read_artefact",
    "write_artefact",
)

FORMAT = 1
Share = Annotated[float, Meta(ge=0, le=1)]


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file; what is None is not written."""


class Target(_Table, frozen=True, kw_only=True):
    """What was asked for: a `rate` of escalations; a `budget`, money that escalations add to a request; an `error` of
    the kept answers, selective with a `confidence` or marginal without, `regret` where only answers count that the
    larger model would have got right; or escalation wherever the `gain` exceeds a price."""

    kind: Literal["rate", "budget", "error", "gain"]
    value: float
    confidence: Share | None = None
    regret: bool = False


class Binding(_Table, frozen=True, kw_only=True):
    """What the scores of the records depended on, and so the threshold does. `judge_sha256` is of the judge's model
    file, `answer_sha256` of what the cheap model is asked with (its system prompt and fixed parameters)."""

    cheap: str
    large: str
    probes: int
    max_tokens: int
    temperature: float
    rule: str
    theta: float
    judge_sha256: str
    stopping: str
    answer_sha256: str = ""

    @property
    def sha256(self) -> str:
        """One hash over all of it."""
        stated = {name: getattr(self, name) for name in self.__struct_fields__}
        return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()

    def differences(self, other: Binding) -> list[str]:
        """What differs, in words: `self` is what the artefact was made for, `other` what there is."""
        pairs = [(name, getattr(self, name), getattr(other, name)) for name in self.__struct_fields__]
        return [f"{name} was {_short(was)} and is {_short(now)}" for name, was, now in pairs if was != now]


class ScoreFit(_Table, frozen=True, kw_only=True):
    """The score that the threshold is of. `judge`: its own, as it comes, and `recalibration` is what it means as a
    probability. `fitted`: the recalibrated logistic."""

    kind: Literal["judge", "fitted"]
    recalibration: Literal["platt", "isotonic"]
    slope: float = 1.0
    offset: float = 0.0
    at: tuple[float, ...] = ()
    to: tuple[float, ...] = ()
    intercept: float = 0.0
    weights: dict[str, float] = {}
    means: dict[str, float] = {}

    def __post_init__(self) -> None:
        self.probability_of()
        self.logistic()

    @classmethod
    def of(cls, recalibration: Recalibration, logistic: Logistic | None = None) -> ScoreFit:
        fit: dict[str, Any] = {"kind": "judge"}
        if logistic is not None:
            weights, means = dict(logistic.weights), dict(logistic.means)
            fit = {"kind": "fitted", "intercept": logistic.intercept, "weights": weights, "means": means}
        if isinstance(recalibration, Platt):
            return cls(recalibration="platt", slope=recalibration.slope, offset=recalibration.offset, **fit)
        return cls(recalibration="isotonic", at=recalibration.at, to=recalibration.to, **fit)

    def probability_of(self) -> Recalibration:
        """From the judge's score, or the logistic's, to the probability that the answer is wrong."""
        return Platt(self.slope, self.offset) if self.recalibration == "platt" else Isotonic(self.at, self.to)

    def logistic(self) -> Logistic | None:
        return Logistic(self.intercept, self.weights, self.means) if self.kind == "fitted" else None

    def combined(self) -> _Combined | None:
        """What makes the judge's score of its features; None where it is the judge's own."""
        logistic = self.logistic()
        return None if logistic is None else _Combined(logistic, self.probability_of())


class _Combined:
    """A recalibrated logistic: monotone in every feature, as both of its parts are."""

    def __init__(self, logistic: Logistic, recalibration: Recalibration) -> None:
        self._logistic = logistic
        self._recalibration = recalibration

    def __call__(self, x: Features) -> float:
        return self._recalibration(self._logistic(x))


class ThresholdFit(_Table, frozen=True, kw_only=True):
    """Escalate above `tau`, and at it with probability `gamma`. Below 0, `tau` keeps nothing. `conservative` is what
    applies when the traffic has drifted."""

    tau: Annotated[float, Meta(ge=-1, le=1)]
    gamma: Share = 0.0
    conservative: Annotated[float, Meta(ge=-1, le=1)]


class Promise(_Table, frozen=True, kw_only=True):
    """A certificate, or the reason why there is none. Of `n` held-out answers `kept` would be, `bad` of them wrongly;
    `bound` is what is promised to be at most `alpha`. `needed` is about how many held-out rows could support one."""

    kind: Literal["selective", "marginal", "none"]
    alpha: float | None = None
    delta: float | None = None
    n: int | None = None
    kept: int | None = None
    bad: int | None = None
    bound: float | None = None
    reason: str | None = None
    needed: int | None = None


class Achieved(_Table, frozen=True, kw_only=True):
    """What the threshold does to the `n` held-out records, with 95 % intervals: the share escalated, the share of the
    kept answers that are wrong, and all of the cheap model's. `accuracy`: of the whole route, where the larger model's
    answers are labelled too (the larger one's alone is `large_accuracy`). `cost`: what escalations add to a request."""

    n: int
    rate: float
    rate_low: float
    rate_high: float
    kept: int
    kept_wrong: int
    error: float | None = None
    error_low: float | None = None
    error_high: float | None = None
    base_error: float
    accuracy: float | None = None
    large_accuracy: float | None = None
    cost: float | None = None


class Rows(_Table, frozen=True, kw_only=True):
    """Records that were used: for the weights, for probabilities and threshold, and held out; and those that were left
    out, because they were not judged or not labelled."""

    fit: int
    calibrate: int
    held_out: int
    unjudged: int = 0
    unlabelled: int = 0


class Artefact(_Table, frozen=True, kw_only=True):
    """All of it. `gain` is what escalating is worth, in right answers."""

    created: datetime.datetime
    target: Target
    rows: Rows
    score: ScoreFit
    threshold: ThresholdFit
    certificate: Promise
    achieved: Achieved
    gain_q0: Share = Gain().q0
    gain_q1: Share = Gain().q1
    gain_rows: int = 0
    drift: Reference
    binding: Binding

    @property
    def gain(self) -> Gain:
        return Gain(self.gain_q0, self.gain_q1, self.gain_rows)


def write_artefact(artefact: Artefact, path: Path) -> None:
    """Raises `ConfigError` where the file cannot be written."""
    try:
        path.write_text(dumps_artefact(artefact), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from error


def read_artefact(path: Path) -> Artefact:
    """Raises `ConfigError`, naming the file and what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `streamroute calibrate` makes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return loads_artefact(text, source=str(path))


def dumps_artefact(artefact: Artefact) -> str:
    """TOML."""
    plain: dict[str, Any] = msgspec.to_builtins(artefact, builtin_types=(datetime.datetime,))
    plain = {"format": FORMAT, **plain}
    plain["binding"]["sha256"] = artefact.binding.sha256
    head = (
        "# Made by `streamroute calibrate`. It holds only for what [binding] says: calibrate anew rather than edit.\n"
    )
    return head + "\n".join(_lines(plain, "")) + "\n"


def loads_artefact(text: str, *, source: str = "<artefact>") -> Artefact:
    """`read_artefact` of a text; `source` is what errors call it."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not valid TOML: {error}") from error
    found = raw.pop("format", None)
    if found != FORMAT:
        raise ConfigError(f"{source}: is a calibration of format {found}, and this version reads {FORMAT}")
    binding = raw.get("binding")
    stated = binding.pop("sha256", None) if isinstance(binding, dict) else None
    try:
        artefact = msgspec.convert(raw, Artefact)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"{source}: {error}") from error
    if stated != artefact.binding.sha256:
        raise ConfigError(f"{source}: binding.sha256 is not that of the binding: the file was edited; calibrate anew")
    return artefact


def _lines(table: Mapping[str, Any], path: str) -> Iterator[str]:
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    for key, value in table.items():
        if key not in tables and value is not None:
            yield f"{key} = {_value(value)}"
    for key, value in tables.items():
        inner = f"{path}.{key}" if path else key
        yield ""
        yield f"[{inner}]"
        yield from _lines(value, inner)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case datetime.datetime():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case _:
            raise ValueError(f"{value!r} cannot be written as TOML")


def _short(value: object) -> str:
    text = repr(value)
    return f"{text[:13]}...'" if isinstance(value, str) and len(value) == 64 else text
