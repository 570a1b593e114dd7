"""Rows of answers to be scored: a question, what was answered, and what else was sampled."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from streamroute.errors import DataFileError
from streamroute.evaluation.rows import check_logprobs, lines_of, numbered

__all__ = ("SampledRow", "parse_sampled", "read_sampled")


class SampledRow(msgspec.Struct, frozen=True):
    """Samples of one model for one `question` ("" where there is none), and the `answer` it showed, if any.

    `logprobs`: of each text, the answer first where there is one, the mean natural log-probability of its tokens.
    `p_true`: that of the model calling its answer true. Raises ValueError, naming the field, on another number of
    `logprobs` than texts, on what is no log-probability, and on `p_true` without an answer.
    """

    question: str
    samples: list[str]
    answer: str | None = None
    logprobs: list[float] | None = None
    p_true: float | None = None

    def __post_init__(self) -> None:
        if self.logprobs is not None and len(self.logprobs) != len(self.texts):
            raise ValueError(f"`logprobs` has {len(self.logprobs)} entries for {len(self.texts)} texts")
        check_logprobs("logprobs", self.logprobs or ())
        if self.p_true is not None:
            if self.answer is None:
                raise ValueError("`p_true` is of the answer, and `answer` is missing")
            check_logprobs("p_true", [self.p_true])

    @property
    def texts(self) -> list[str]:
        """The answer, where there is one, and the samples."""
        return [*([] if self.answer is None else [self.answer]), *self.samples]


class _Cheap(msgspec.Struct):
    samples: list[str]
    answer: str | None = None


class _RoutingRow(msgspec.Struct):
    """A row of a routing data set, of whose models the cheap one was sampled."""

    question: str
    cheap: _Cheap


def read_sampled(path: Path) -> list[SampledRow]:
    """All rows of a file: JSON Lines, or a single JSON object over any number of lines; .gz and .xz are unpacked.

    Also of the form {"question", "cheap": {"answer", "samples"}}. Unknown fields are ignored, half surrogate pairs
    kept. Raises `DataFileError`, also where there is no row at all.
    """
    return parse_sampled(lines_of(path), name=str(path))


def parse_sampled(lines: Iterable[bytes], *, name: str) -> list[SampledRow]:
    """`read_sampled` of lines that are there already; `name` is what errors call their origin."""
    kept = list(numbered(lines, name))
    if not kept:
        raise DataFileError(f"{name}: no rows")
    if len(kept) > 1 and not _is_json(kept[0][1]):
        return [_row(kept, name)]
    return [_row([line], name) for line in kept]


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _row(lines: list[tuple[int, bytes]], name: str) -> SampledRow:
    """The one row that `lines`, with their numbers, hold together."""
    number = lines[0][0]
    try:
        # Of msgspec and json only the latter reads NaN, of which the field is then named, and half surrogate pairs.
        value = json.loads(b"".join(line for _, line in lines).decode())
        routing = isinstance(value, dict) and "cheap" in value and "samples" not in value
        return _of_routing(value) if routing else msgspec.convert(value, SampledRow)
    except UnicodeDecodeError as error:
        raise DataFileError(f"{name}: line {number}: not UTF-8 ({error.reason})") from error
    except json.JSONDecodeError as error:
        at = lines[min(error.lineno, len(lines)) - 1][0]
        raise DataFileError(f"{name}: line {at}: not JSON ({error.msg}, column {error.colno})") from error
    except RecursionError as error:
        raise DataFileError(f"{name}: line {number}: nested too deeply") from error
    except ValueError as error:  # msgspec's own, which names the field; integers of thousands of digits
        raise DataFileError(f"{name}: line {number}: {error}") from error


def _of_routing(value: dict[str, Any]) -> SampledRow:
    row = msgspec.convert(value, _RoutingRow)
    return SampledRow(row.question, row.cheap.samples, row.cheap.answer)
