"""What the kernel says of a process and its children."""

from __future__ import annotations

import time
from pathlib import Path


def tree(pid: int) -> list[int]:
    """The process and all below it."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        parents[int(status.parent.name)] = int(fields[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time, to the nanosecond; /proc/PID/stat counts in hundredths of a second."""
    # The kernel's number of another process's CPU clock (MAKE_PROCESS_CPUCLOCK, linux/posix-timers_types.h).
    return sum(time.clock_gettime((~one << 3) | 2) for one in tree(pid))


def resident_bytes(pid: int) -> int:
    """Memory that is really there."""
    total = 0
    for one in tree(pid):
        lines = Path(f"/proc/{one}/status").read_text().splitlines()
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))
    return total
