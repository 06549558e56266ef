"""How much of a mapped file is in memory."""

from __future__ import annotations

from pathlib import Path


def resident_kb(path: Path) -> int:
    """Resident size of the mapped file `path` in this process, in KiB."""
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    for line in lines:
        if line.endswith(str(path)):
            return next(int(entry.split()[1]) for entry in lines if entry.startswith("Rss:"))
    raise AssertionError(f"{path} is not mapped")
