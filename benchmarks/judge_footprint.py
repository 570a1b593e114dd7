"""How soon a fresh process has its first verdict, and how much memory scoring holds.

    python -m benchmarks.judge_footprint [--processes 5] [--json]

Each process is started anew: it imports the judge, loads the bundled model, gives a first verdict (on an answer and
five samples, all at once) and then 50 in all. Times are wall time since the process was asked for, medians over the
processes; files are in the page cache after the first. Memory is what is resident (VmRSS): of the bare interpreter, of
it with all libraries imported, and after 50 verdicts; `scoring` is the last less the first. Linux only.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import command, show

VERDICTS = 50
_CHILD = "import asyncio; from benchmarks.judge_footprint import live; asyncio.run(live())"


def resident() -> float:
    """MB in memory now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1_024


async def live() -> None:
    """The life of one measured process: prints moments of the system's monotonic clock, and memory."""
    bare, began = resident(), time.monotonic()
    from streamroute.nli.model import load_bundled
    from streamroute.uncertainty.judge import SemanticEntropy

    libraries, imported = resident(), time.monotonic()
    worker = await asyncio.to_thread(load_bundled)
    loaded = time.monotonic()
    # The texts are no part of what is measured, but their few kilobytes and the module are.
    from benchmarks import verdicts

    rows, judge = verdicts.read(), SemanticEntropy(worker)
    await verdicts.verdict(judge, rows[0])
    judged = time.monotonic()
    for i in range(1, VERDICTS):
        await verdicts.verdict(judge, rows[i % len(rows)])
    after = resident()
    await worker.aclose()
    print(json.dumps({
        "began": began, "imported": imported, "loaded": loaded, "judged": judged,
        "bare": bare, "libraries": libraries, "after": after,
    }))  # fmt: skip


def measure(processes: int) -> dict[str, object]:
    lives: list[dict[str, float]] = []
    for _ in range(processes):
        asked = time.monotonic()
        done = subprocess.run([sys.executable, "-c", _CHILD], check=True, capture_output=True, text=True)
        found: dict[str, float] = json.loads(done.stdout)
        lives.append(found | {"asked": asked, "none": 0.0})

    def difference(upper: str, lower: str) -> float:
        return statistics.median(life[upper] - life[lower] for life in lives)

    return {
        "processes": processes,
        "start_seconds": round(difference("judged", "asked"), 2),
        "interpreter_seconds": round(difference("began", "asked"), 2),
        "import_seconds": round(difference("imported", "began"), 2),
        "load_seconds": round(difference("loaded", "imported"), 2),
        "first_verdict_seconds": round(difference("judged", "loaded"), 2),
        "verdicts": VERDICTS,
        "bare_mb": round(difference("bare", "none")),
        "libraries_mb": round(difference("libraries", "none")),
        "total_mb": round(difference("after", "none")),
        "scoring_mb": round(difference("after", "bare")),
    }


def main() -> None:
    parser = command("Start and memory of a process that judges.")
    parser.add_argument("--processes", type=int, default=5)
    args = parser.parse_args()
    found = measure(1 if args.quick else args.processes)
    show(found, as_json=args.json)


if __name__ == "__main__":
    main()
