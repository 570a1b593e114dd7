"""Labelled rows from JSON Lines, for measuring a judge: one object a line, UTF-8; plain, or packed as the name says."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedIOBase
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from streamroute.errors import DataFileError
from streamroute.uncertainty.measures.samples import require_logprobs

__all__ = (
    "CheapLeg",
    "LargeLeg",
    "NliRow",
    "PairRow",
    "RoutingRow",
    "Timing",
    "check_logprobs",
    "labelled",
    "lines_of",
    "numbered",
    "parse_rows",
    "read_rows",
)

LEAST_LOGPROB = -1e6
"""Far below what providers write for "never" (-9999), and far above what sums and products of it could overflow."""
_BOM = b"\xef\xbb\xbf"
_PACKED = (b"\x1f\x8b", b"\xfd7zXZ\x00")  # what files of gzip and of xz begin with


class NliRow(msgspec.Struct, frozen=True):
    """What `premise` says about `hypothesis`. `source`: the corpus that the row is from, where files are mixed."""

    premise: str
    hypothesis: str
    label: Literal["entailment", "neutral", "contradiction"]
    source: str | None = None


class PairRow(msgspec.Struct, frozen=True):
    """Two answers, `a` and `b`, to one `question`, and whether they say the same."""

    question: str
    a: str
    b: str
    equivalent: bool
    source: str | None = None


class Timing(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a leg wrote, in seconds since it was started: its first content token, its end, and `steps`, each a time and
    the characters written by then (ends of sentences at least). `tokens`: of the whole text. Raises ValueError, naming
    the field, on times that are negative or run backwards."""

    first: float
    end: float
    tokens: int | None = None
    steps: list[tuple[float, int]] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.end:
            raise ValueError(f"`first` is {self.first} and `end` {self.end}; expected 0 <= first <= end")
        if self.tokens is not None and self.tokens < 0:
            raise ValueError(f"`tokens` is {self.tokens}")
        before = 0.0, 0
        for i, step in enumerate(self.steps or ()):
            if step[0] < before[0] or step[1] < before[1]:
                raise ValueError(f"`steps`[{i}] goes back from {before} to {step}")
            before = step


class CheapLeg(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the cheap model said to one question: the `answer` that it shows and further `samples`.

    `correct`: whether the answer is right; None is without a label. `logprobs`: the natural log-probability of each
    token of the answer; `first_top_logprobs`: of the most likely first ones. `sample_logprobs`: their mean over the
    tokens of each sample. `p_true`: that the model calls its answer true; `self_verified`: the share of its sampled
    verdicts on it that do. Raises ValueError, naming the
    field, on what is no log-probability and on another number of entries than samples.
    """

    answer: str
    samples: list[str]
    model: str = ""
    correct: bool | None = None
    logprobs: list[float] | None = None
    timing: Timing | None = None
    sample_timings: list[Timing] | None = None
    sample_logprobs: list[float] | None = None
    prompt_tokens: int | None = None
    first_top_logprobs: list[float] | None = None
    p_true: float | None = None
    self_verified: float | None = None

    def __post_init__(self) -> None:
        for name, values in (("sample_timings", self.sample_timings), ("sample_logprobs", self.sample_logprobs)):
            if values is not None and len(values) != len(self.samples):
                raise ValueError(f"`{name}` has {len(values)} entries for {len(self.samples)} samples")
        check_logprobs("logprobs", self.logprobs or ())
        check_logprobs("sample_logprobs", self.sample_logprobs or ())
        check_logprobs("first_top_logprobs", self.first_top_logprobs or ())
        check_logprobs("p_true", () if self.p_true is None else (self.p_true,))
        if self.self_verified is not None and not 0 <= self.self_verified <= 1:
            raise ValueError(f"`self_verified` is {self.self_verified}; expected a share from 0 to 1")


class LargeLeg(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the large model said to the same question."""

    answer: str
    model: str = ""
    correct: bool | None = None
    timing: Timing | None = None
    prompt_tokens: int | None = None


class RoutingRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One question, what the cheap model said to it and, where it was asked, what the large one did. `gold`: right
    answers; `kind`: the kind of question, where several are mixed."""

    id: str
    question: str
    cheap: CheapLeg
    large: LargeLeg | None = None
    gold: list[str] | None = None
    kind: str | None = None

    @property
    def paired(self) -> bool:
        """Whether both models' answers have a label."""
        return self.cheap.correct is not None and self.large is not None and self.large.correct is not None


class _RoutingRowAsWritten(msgspec.Struct):
    """A `RoutingRow` as other people's files have it: `id` may be a number, or missing."""

    question: str
    cheap: CheapLeg
    large: LargeLeg | None = None
    gold: list[str] | None = None
    kind: str | None = None
    id: str | int | None = None

    def row(self, number: int) -> RoutingRow:
        """The row, which is called by the `number` of its line if by nothing else."""
        name = str(number if self.id is None else self.id)
        return RoutingRow(name, self.question, self.cheap, self.large, self.gold, self.kind)


Row = TypeVar("Row", NliRow, PairRow, RoutingRow)


def check_logprobs(name: str, values: Sequence[float]) -> None:
    """Raises ValueError, with `name`, on what is no log-probability of a row: above zero, or below all others."""
    require_logprobs(name, values)
    for i, value in enumerate(values):
        if value < LEAST_LOGPROB:
            raise ValueError(f"{name}[{i}] is {value}, which is less than any log-probability ({LEAST_LOGPROB:.0f})")


def labelled(rows: Iterable[RoutingRow], *, name: str) -> tuple[list[RoutingRow], int]:
    """The rows whose cheap answer has a label, and how many have none. Raises `DataFileError`, with the `name` of their
    origin, where none is left."""
    every = list(rows)
    kept = [row for row in every if row.cheap.correct is not None]
    if not kept:
        raise DataFileError(f"{name}: none of the {len(every)} rows says whether its answer is right (`cheap.correct`)")
    return kept, len(every) - len(kept)


def read_rows(path: Path, kind: type[Row], *, limit: int | None = None) -> Iterator[Row]:
    """The first `limit` rows of a file, read as they are asked for; a name that ends in .gz or .xz is unpacked.

    Unknown fields are ignored, blank lines and a byte order mark skipped. Raises `DataFileError`, also where there is
    no row at all.
    """
    return parse_rows(lines_of(path), kind, name=str(path), limit=limit)


def parse_rows(lines: Iterable[bytes], kind: type[Row], *, name: str, limit: int | None = None) -> Iterator[Row]:
    """`read_rows` of lines that are there already; `name` is what errors call their origin."""
    none = True
    for row in islice(_decoded(lines, kind, name), limit):
        none = False
        yield row
    if none:
        raise DataFileError(f"{name}: no rows")


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file as they are asked for, unpacked as its name says. Raises what files and archives raise, which
    `numbered` translates."""
    with _opened(path) as file:
        yield from file


def numbered(lines: Iterable[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    """Each line that is not blank with its number, from 1, without a byte order mark. Raises `DataFileError` where they
    cannot be read."""
    for number, line in enumerate(_readable(lines, name), start=1):
        if number == 1 and line.startswith(_PACKED):
            raise DataFileError(f"{name}: is compressed, but its name does not end in .gz or .xz")
        text = line.removeprefix(_BOM) if number == 1 else line
        if text.strip():
            yield number, text


def _decoded(lines: Iterable[bytes], kind: type[Row], name: str) -> Iterator[Row]:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_RoutingRowAsWritten if kind is RoutingRow else kind)
    for number, text in numbered(lines, name):
        try:
            written = decoder.decode(text)
            row: Row = written.row(number) if kind is RoutingRow else written
            yield row
        except UnicodeDecodeError as error:
            raise DataFileError(f"{name}: line {number}: not UTF-8 ({error.reason})") from error
        except msgspec.DecodeError as error:  # names the field
            raise DataFileError(f"{name}: line {number}: {error}") from error


def _readable(lines: Iterable[bytes], name: str) -> Iterator[bytes]:
    """`lines`, with what files and archives raise while they are read translated."""
    try:
        yield from lines
    except gzip.BadGzipFile as error:
        raise DataFileError(f"{name}: is not a gzip archive, or a damaged one ({error})") from error
    except lzma.LZMAError as error:
        raise DataFileError(f"{name}: is not an xz archive, or a damaged one ({error})") from error
    except zlib.error as error:
        raise DataFileError(f"{name}: is a damaged archive ({error})") from error
    except EOFError as error:
        raise DataFileError(f"{name}: is cut short: the end of the archive is missing") from error
    except OSError as error:
        raise DataFileError(f"{name}: cannot be read ({error.strerror})") from error


def _opened(path: Path) -> BufferedIOBase:
    match path.suffix:
        case ".gz":
            return gzip.open(path)
        case ".xz":
            return lzma.open(path)
        case _:
            return path.open("rb")
