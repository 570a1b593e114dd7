"""`streamroute calibrate`: from labelled records to a threshold, and to what can be promised of it."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from streamroute.calibration.artefact import Artefact, Target, write_artefact
from streamroute.calibration.fit import calibrate
from streamroute.calibration.labels import decode_feedback, joined
from streamroute.calibration.records import Record, decode_record, encode_record
from streamroute.cli.calibrated import summary
from streamroute.cli.compose import RouteOptions, resolve
from streamroute.cli.judging import judge_rows
from streamroute.config.binding import binding_of
from streamroute.config.settings import RouteSettings, Settings
from streamroute.errors import BadRequestError, ConfigError, DataFileError
from streamroute.evaluation.rows import RoutingRow, lines_of, numbered

__all__ = ("run",)

NO_CERTIFICATE = 1
T = TypeVar("T")


def run(args: argparse.Namespace) -> int:
    """Exit code 1, and nothing written, where a certificate is required and there is none. Raises `DataFileError` for
    records, `ConfigError` for a configuration and `BadRequestError` for arguments that cannot be used, and
    `ScorerError`."""
    target = _target(args)
    settings, route = resolve(RouteOptions(config=args.config, route=args.route))
    binding = binding_of(settings, route)
    name = "standard input" if args.records == "-" else args.records
    records, unjudged = _records(args, settings, route, name)
    if args.save_records is not None:
        _save(records, Path(args.save_records))
    try:
        artefact = calibrate(
            records,
            target,
            binding=binding,
            created=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
            unjudged=unjudged,
            score=args.score,
            seed=args.seed,
        )
    except ValueError as error:
        raise DataFileError(f"{name}: {error}") from error
    lacks = args.require_certificate and artefact.certificate.kind == "none"
    if not lacks:
        write_artefact(artefact, Path(args.output))
    _print(artefact, args, written=not lacks)
    return NO_CERTIFICATE if lacks else 0


def _target(args: argparse.Namespace) -> Target:
    if args.max_error is None and (args.marginal or args.regret or args.require_certificate):
        raise BadRequestError("--marginal, --regret and --require-certificate belong to --max-error")
    if args.target_rate is not None:
        return Target(kind="rate", value=args.target_rate)
    if args.budget is not None:
        return Target(kind="budget", value=args.budget)
    if args.gain_price is not None:
        return Target(kind="gain", value=args.gain_price)
    confidence = None if args.marginal else args.confidence
    return Target(kind="error", value=args.max_error, confidence=confidence, regret=args.regret)


def _records(args: argparse.Namespace, settings: Settings, route: RouteSettings, name: str) -> tuple[list[Record], int]:
    """The records of the file and how many of its rows are none, since nothing was judged."""
    lines = sys.stdin.buffer if args.records == "-" else lines_of(Path(args.records))
    known: list[Record] = []
    rows: list[RoutingRow] = []
    unjudged = 0
    for number, text in numbered(lines, name):
        with_samples = _is_routing(text)
        row = _decoded(_routing_row if with_samples else _record(number), text, f"{name}: line {number}")
        match row:
            case Record():
                known.append(row)
            case RoutingRow():
                rows.append(row)
            case _:
                unjudged += 1
    if not (known or rows or unjudged):
        raise DataFileError(f"{name}: no rows")
    if rows:
        judged = judge_rows(rows, settings, route, agreement=args.agreement)
        known += judged.records
        unjudged += judged.short
        for words in judged.warnings(route):
            _warn(words)
    if args.labels is not None:
        feedback = [
            _decoded(decode_feedback, text, f"{args.labels}: line {number}")
            for number, text in numbered(lines_of(Path(args.labels)), args.labels)
        ]
        known = joined(known, feedback)
    early = sum(not record.final and record.wrong is not None for record in known)
    if early:
        _warn(f"{early} labelled verdicts fell before the last probe: their scores are not final")
    escalated = sum(record.escalated and record.wrong is None for record in known)
    if escalated and args.labels is not None:
        _warn(f"{escalated} answers were escalated and have no label: labels of kept answers alone flatter the score")
    return known, unjudged


def _is_routing(text: bytes) -> bool:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):  # whoever decodes it says what is wrong
        return False
    return isinstance(row, dict) and "cheap" in row


def _routing_row(text: bytes) -> RoutingRow:
    return msgspec.json.decode(text, type=RoutingRow)


def _record(number: int) -> Callable[[bytes], Record | None]:
    return lambda text: decode_record(text, number=number)


def _decoded(decode: Callable[[bytes], T], text: bytes, where: str) -> T:
    try:
        return decode(text)
    except UnicodeDecodeError as error:
        raise DataFileError(f"{where}: not UTF-8 ({error.reason})") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise DataFileError(f"{where}: {error}") from error


def _warn(words: str) -> None:
    print(f"streamroute calibrate: {words}", file=sys.stderr)


def _save(records: Sequence[Record], path: Path) -> None:
    try:
        path.write_bytes(b"".join(line + b"\n" for line in _encoded(records)))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from error


def _encoded(records: Iterable[Record]) -> Iterator[bytes]:
    return map(encode_record, records)


def _print(artefact: Artefact, args: argparse.Namespace, *, written: bool) -> None:
    if args.json:
        plain: dict[str, Any] = msgspec.to_builtins(artefact)
        print(json.dumps({"artefact": args.output if written else None, **plain}, ensure_ascii=False))
        return
    for line in summary(artefact):
        print(line)
    print(f"written to {args.output}" if written else "nothing written: a certificate is required")
