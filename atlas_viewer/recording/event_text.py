"""A recording's events in words: the latest action and the names of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from compute.io.escape import one_line

if TYPE_CHECKING:
    from .records import UiEvent

_LONGEST = 200  # characters
NAME = "name"  # the event that renames a run; its data has the number as `run` and the name as `value`


def names(events: Sequence[UiEvent]) -> dict[int, str]:
    """The latest name of each named run, on one line, by the run's number in the file."""
    found: dict[int, str] = {}
    for ui_event in events:
        run, name = ui_event.data.get("run"), ui_event.data.get("value")
        if ui_event.name == NAME and type(run) is int and isinstance(name, str):
            found[run] = name
    return {run: one_line(name[:_LONGEST]) for run, name in found.items() if name}


def last_done(events: Sequence[UiEvent], until: float) -> str:
    """The latest action up to a time in the recording; empty if there was none."""
    done = [ui_event for ui_event in events if ui_event.time <= until]
    latest: dict[str, UiEvent] = {}
    before: list[UiEvent | None] = []  # for each event, the previous one of the same kind
    for ui_event in done:
        before.append(latest.get(ui_event.name))
        latest[ui_event.name] = ui_event
    for ui_event, earlier in zip(reversed(done), reversed(before), strict=True):
        changed = isinstance(ui_event.data.get("value"), dict)
        text = _changes(ui_event, earlier) if changed else _plain(ui_event.data)
        if text is not None:
            return f"{ui_event.name} {one_line(text[:_LONGEST])}".rstrip()
    return ""


def _plain(data: Any) -> str:
    return ", ".join(f"{value}" for value in data.values() if not isinstance(value, dict | list))


def _changes(ui_event: UiEvent, before: UiEvent | None) -> str | None:
    """The values that an event has changed; None for the first event of its kind, or if nothing changed."""
    known = before.data.get("value") if before is not None else None
    if not isinstance(known, dict):
        return None
    values = ui_event.data["value"].items()
    changed = [f"{name} {value}" for name, value in values if known.get(name) != value]
    return ", ".join(changed).replace("_", "-") or None
