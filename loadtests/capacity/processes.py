"""What processes use, from /proc (Linux)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Used:
    """By one process and everything below it, since they started."""

    cpu_s: float
    """Processor time. A child that has ended counts as its parent's."""
    resident_mb: float
    """Pages that processes share count in each of them."""


def used(root: int) -> Used:
    """Nothing when there is no such process any more."""
    cpu, pages = 0.0, 0
    for pid in _family(root):
        fields = _fields(pid)
        if fields:
            # Fields 14 to 17 and 24 of proc(5): own and ended children's time, resident pages. `fields` begins with 3.
            cpu += sum(int(ticks) for ticks in fields[11:15]) / TICKS_PER_S
            pages += int(fields[21])
    return Used(cpu, pages * PAGE_BYTES / 1e6)


def of_command(root: int, word: bytes) -> list[int]:
    """Processes below `root` whose command line has the word."""
    found = []
    for pid in _family(root)[1:]:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:  # ended meanwhile
            continue
        if word in command:
            found.append(pid)
    return found


def machine_cpu_s() -> float:
    """Of everything on the machine that is not idle. https://docs.kernel.org/filesystems/proc.html, section 1.7."""
    fields = [int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4] - fields[7]) / TICKS_PER_S


def _family(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _fields(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, ahead = [], [root]
    while ahead:
        pid = ahead.pop()
        found.append(pid)
        ahead += children.get(pid, [])
    return found


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, from the third on; the second may hold anything, in parentheses."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # ended meanwhile
        return []
