"""Every benchmark, one after the other, each in a process of its own; a failure stops nothing.

    python -m benchmarks [--quick] [--json] [--rows FILE] [NAME ...]

A name stands for all benchmarks that begin with it: `judge` for everything about the judge. Prints each one's figures
as a table, then all in one line of JSON; with `--json` that line alone. One that fails is null there. Those that look
at data of yours need a file of labelled routing rows, and are left out without it.
"""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.figures import command, show

BENCHMARKS = (
    "core_rate",
    "certified",
    "replay_rate",
    "visible_rate",
    "gateway",
    "judge_verdict",
    "judge_load",
    "judge_beside_stream",
    "judge_footprint",
    "kill",
)
OF_ROWS = ("stopping", "guarantees")
"""Those that need a file."""


def figures(name: str, *, quick: bool, rows: str | None) -> dict[str, object] | None:
    """What one benchmark found; None where it failed."""
    flags = ["--json", *(["--quick"] if quick else []), *([rows] if rows is not None and name in OF_ROWS else [])]
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *flags], check=False, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, object] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return found


def main() -> int:
    parser = command("Every benchmark, or those named.")
    names = (*BENCHMARKS, *OF_ROWS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"the beginning of a name: {', '.join(names)}")
    parser.add_argument("--rows", metavar="FILE", help=f"labelled routing rows, for {' and '.join(OF_ROWS)}")
    args = parser.parse_args()
    chosen = [name for name in names if name.startswith(tuple(args.names or [""]))]
    if not chosen:
        parser.error(f"no benchmark begins so; there are {', '.join(names)}")
    without = [] if args.rows is not None else [name for name in chosen if name in OF_ROWS]
    if without:
        print(f"{' and '.join(without)} need --rows FILE and are left out", file=sys.stderr)
        chosen = [name for name in chosen if name not in without]
    all_found: dict[str, dict[str, object] | None] = {}
    for name in chosen:
        found = all_found[name] = figures(name, quick=args.quick, rows=args.rows)
        if not args.json:
            print(f"{name}{': failed' if found is None else ''}")
            show(found or {}, as_json=False)
            print(flush=True)
    show(all_found, as_json=True)
    return int(None in all_found.values())


if __name__ == "__main__":
    sys.exit(main())
