"""What a session's events say in words: what was done last, and how runs were called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contents import Mark

NAME = "name"  # the event of a run that gets another name: its number in `run`, the name in `value`


def names(events: Sequence[Mark]) -> dict[int, str]:
    """The last name of each run that was given one, by the run's number in the file."""
    found: dict[int, str] = {}
    for mark in events:
        run, name = mark.data.get("run"), mark.data.get("value")
        if mark.name == NAME and isinstance(run, int) and isinstance(name, str):
            found[run] = name
    return {run: name for run, name in found.items() if name}


def last_done(events: Sequence[Mark], until: float) -> str:
    """What was done last up to a time of the session; empty when nothing was."""
    done = [mark for mark in events if mark.time <= until]
    for place in range(len(done) - 1, -1, -1):
        mark = done[place]
        before = next((earlier for earlier in reversed(done[:place]) if earlier.name == mark.name), None)
        told = _plain(mark.data) if not isinstance(mark.data.get("value"), dict) else _changes(mark, before)
        if told is not None:
            return f"{mark.name} {told}".rstrip()
    return ""


def _plain(data: Any) -> str:
    return ", ".join(f"{value}" for value in data.values() if not isinstance(value, dict | list))


def _changes(mark: Mark, before: Mark | None) -> str | None:
    """What of several values is another one; None where it was only noted for the first time, or nothing is."""
    known = before.data.get("value") if before is not None else None
    if not isinstance(known, dict):
        return None
    values = mark.data["value"].items()
    changed = [f"{name} {value}" for name, value in values if known.get(name) != value]
    return ", ".join(changed).replace("_", "-") or None
