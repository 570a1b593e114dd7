"""The report: every way to route, side by side on the same recorded answers.

    python -m benchmarks.report [--settings FILE.toml] [-o FOLDER] [--judged FILE] [NAME=RECORDS ...]

Without arguments it makes the report that is shipped, from the shipped recordings: `benchmarks/report.toml` says which,
and at which prices. NAME=RECORDS are your own (`streamroute record`), instead of those. Into FOLDER go `report.json`
(every figure), `report.md`, `report.html` (which needs no other file) and `plots/`. What the judge said is kept in
`--judged FILE`, by default in the user's cache, so that the next report, at another price, takes half the time.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.reporting.pages import html_of, markdown_of
from benchmarks.reporting.plots import draw
from benchmarks.reporting.remembered import Remembering
from benchmarks.reporting.settings import Records, Settings, read_settings
from benchmarks.reporting.systems import systems_of
from benchmarks.reporting.work import figures_of, rows_of
from streamroute.cli.eval import load_model
from streamroute.errors import ConfigError, StreamrouteError
from streamroute.models.store import default_models_dir
from streamroute.nli.manifest import chosen_model

__all__ = ("main", "report_of")

SETTINGS = Path("benchmarks/report.toml")
FOLDER = Path("benchmarks/results")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="*", type=_named, metavar="NAME=RECORDS")
    parser.add_argument("--settings", type=Path, default=SETTINGS, metavar="FILE.toml")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER, metavar="FOLDER")
    parser.add_argument("--judged", type=Path, metavar="FILE", help="what the judge said, kept for the next report")
    args = parser.parse_args(argv)
    try:
        settings = read_settings(args.settings)
        if args.records:
            settings = msgspec.structs.replace(settings, records=tuple(args.records))
        judged = args.judged or default_models_dir().parent / "judged.json"
        write(report_of(settings, judged, _told(args)), args.output)
    except StreamrouteError as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    print(f"{args.output}/report.html, report.md and report.json")
    return 0


def report_of(settings: Settings, judged: Path, command: str) -> dict[str, Any]:
    """All figures, as plain values. Raises `ConfigError` without records, and `DataFileError`."""
    if not settings.records:
        raise ConfigError("there are no records to report on: name some as NAME=FILE, or in the settings")
    began = time.perf_counter()
    spec = chosen_model(None, None)
    judged.parent.mkdir(parents=True, exist_ok=True)
    model = Remembering(lambda: load_model(spec), judged, spec.sha256)
    sets: dict[str, Any] = {}
    for records in settings.records:
        rows = rows_of(records)
        systems = systems_of(rows, model, settings)
        sets[records.name] = {**figures_of(rows, model, settings, texts=records.texts), "systems": systems}
        model.save()
        print(f"{records.name}: {time.perf_counter() - began:.0f} s so far", file=sys.stderr)
    return {
        "command": command,
        "settings": msgspec.to_builtins(settings),
        "judge": {"name": spec.name, "sha256": spec.sha256},
        "asked_pairs": model.asked,
        "seconds": time.perf_counter() - began,
        "sets": sets,
    }


def _told(args: argparse.Namespace) -> str:
    """The command, without the places of files that change no figure."""
    given = [] if args.settings == SETTINGS else ["--settings", str(args.settings)]
    records = [f"{each.name}={each.file}" for each in args.records]
    return shlex.join(["python", "-m", "benchmarks.report", *given, *records])


def write(report: Mapping[str, Any], folder: Path) -> None:
    """`report.json`, `report.md`, `report.html` and the plots."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = _rounded(msgspec.to_builtins(report))
    (folder / "report.json").write_text(json.dumps(plain, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    draw(plain["sets"], folder / "plots")
    markdown = markdown_of(plain)
    (folder / "report.md").write_text(markdown, encoding="utf-8")
    (folder / "report.html").write_text(html_of(markdown, folder), encoding="utf-8")


def _rounded(value: Any) -> Any:
    """Five digits, and no number that JSON has not."""
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value


def _named(text: str) -> Records:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise argparse.ArgumentTypeError(f"expected NAME=RECORDS, not {text!r}")
    return Records(name=name, file=file)


if __name__ == "__main__":
    sys.exit(main())
