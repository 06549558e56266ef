"""Writes the user's actions as a tour. Clicks name widget ids, so that the tour still plays if widgets have moved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from atlas_viewer.ui import widget_tracking
from compute.errors import OutputError
from compute.io.growing_file import GrowingFile

_DRAG_FROM = 4.0  # logical pixels of movement at which a click becomes a drag
_KEYS = {"ArrowUp": "Up", "ArrowDown": "Down", "ArrowLeft": "Left", "ArrowRight": "Right", " ": "Space"}
_MODIFIERS = {"Control": "Ctrl", "Shift": "Shift", "Alt": "Alt"}
_TYPED_KEYS = 1  # keys with names of this length also arrive as text


class TourRecorder:
    """Writes each step immediately, as one line. If a write fails, the file ends with the previous step.

    trouble: why writing has stopped, or empty if it has not.
    """

    def __init__(self, path: Path, report: Callable[[str], object]) -> None:
        """report: called at most once, with `trouble`. Raises `OutputError` if `path` cannot be written to."""
        self._file = GrowingFile(path)
        self._report, self.trouble = report, ""
        self._frames = 0
        self._down: tuple[float, float, str] | None = None
        self._held: list[str] = []

    def frame(self) -> None:
        """Count a frame; call it after each one."""
        self._frames += 1

    def event(self, event: dict[str, Any]) -> None:
        """Record a window event."""
        kind = event["event_type"]
        if kind == "pointer_down":
            self._down = (event["x"], event["y"], _label(event["x"], event["y"]))
        elif kind == "pointer_up" and self._down is not None:
            x, y, label = self._down
            self._down = None
            moved = (event["x"] - x, event["y"] - y)
            if label and max(map(abs, moved)) >= _DRAG_FROM and event["button"] == 1:
                self._write({"drag": label, "by": [round(part) for part in moved]})
            elif label:
                self._write({"click": label} | ({"button": event["button"]} if event["button"] != 1 else {}))
        elif kind == "wheel":
            label = _label(event["x"], event["y"])
            if label:
                self._write({"wheel": -event["dy"] / 100, "at": label})
        elif kind == "char":
            self._write({"type": event.get("data") or event.get("char_str") or ""})
        elif kind in ("key_down", "key_up"):
            self._key(event["key"], kind == "key_down")
        elif kind == "resize":
            self._write({"resize": [round(event["width"]), round(event["height"])]})

    def close(self) -> None:
        """Close the file. Raises `OutputError`."""
        self._file.close()

    def _key(self, key: str, down: bool) -> None:
        if key in _MODIFIERS:
            name = _MODIFIERS[key]
            self._held = [held for held in self._held if held != name] + ([name] if down else [])
        elif down and (len(key) > _TYPED_KEYS or set(self._held) & {"Ctrl", "Alt"}):
            name = _KEYS.get(key, key.upper() if len(key) == 1 else key)
            self._write({"key": "+".join([*self._held, name])})

    def _write(self, step: dict[str, Any]) -> None:
        if self.trouble:
            return
        lines = json.dumps(step, ensure_ascii=False) + "\n"
        if self._frames:
            lines = json.dumps({"frames": self._frames}) + "\n" + lines
            self._frames = 0
        try:
            self._file.append(lines.encode("utf-8", "replace"))
        except OutputError as error:
            self.trouble = str(error)
            self._report(self.trouble)


def _label(x: float, y: float) -> str:
    """The smallest widget at a point in the window, with the offset from its center; empty if there is none."""
    here = [
        (rect, label)
        for label, rect in widget_tracking.rects.items()
        if rect.left <= x < rect.right and rect.top <= y < rect.bottom
    ]
    if not here:
        return ""
    rect, label = min(here, key=lambda entry: (entry[0].right - entry[0].left) * (entry[0].bottom - entry[0].top))
    dx, dy = round(x - rect.center[0]), round(y - rect.center[1])
    return f"{label}+{dx},{dy}" if (dx, dy) != (0, 0) else label
