"""Labelled rows from JSON Lines, for measuring a judge: one object a line, UTF-8; plain, or packed as the name says."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from streamroute.errors import DataFileError

__all__ = (
    "CheapLeg",
    "LargeLeg",
    "NliRow",
    "PairRow",
    "RoutingRow",
    "Timing",
    "lines_of",
    "numbered",
    "parse_rows",
    "read_rows",
)

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


class Timing(msgspec.Struct, frozen=True):
    """When a leg's text came: seconds since the leg was started to its first content token and to its end. `tokens` of
    it. `steps` are (seconds, characters so far), at sentence ends at least, in order."""

    first: float
    end: float
    tokens: int | None = None
    steps: list[tuple[float, int]] | None = None


class CheapLeg(msgspec.Struct, frozen=True):
    """What the cheap model answered, and what else was sampled of it.

    `logprobs` are natural log-probabilities of the answer's tokens, `sample_logprobs` the mean of each sample's.
    `correct` is None where nobody said.
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


class LargeLeg(msgspec.Struct, frozen=True):
    """What the large model answered."""

    answer: str
    model: str = ""
    correct: bool | None = None
    timing: Timing | None = None
    prompt_tokens: int | None = None


class RoutingRow(msgspec.Struct, frozen=True):
    """One question as both models answered it, recorded in full. `gold`: answers that are right."""

    id: str
    question: str
    cheap: CheapLeg
    large: LargeLeg | None = None
    gold: list[str] | None = None
    kind: str | None = None


Row = TypeVar("Row", NliRow, PairRow, RoutingRow)


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
    decoder = msgspec.json.Decoder(kind)
    for number, text in numbered(lines, name):
        try:
            yield decoder.decode(text)
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
