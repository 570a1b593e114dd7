"""Every benchmark, one after the other: `python -m benchmarks`. One line of JSON each; a failure stops nothing."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("core_rate", "visible_rate")


def main() -> int:
    failed = 0
    for name in BENCHMARKS:
        print(f"{name} ", end="", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--json"], check=False).returncode != 0
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
