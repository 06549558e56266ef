"""Scripted tours: interface events from a file, played back frame by frame, with pictures taken on the way.

A tour file has one JSON object per line. Widgets are named by their ids (see `ui/widget_tracking.py`), or by the labels
they had in an earlier version; `+x,y` after a name is an offset from the widget's center.

    {"wait": "done"}           wait until the run is finished and all its values have arrived; "writing": until a run
                               is generating, or with "steps", until it has that many tokens
    {"frames": 3}              wait for this many frames
    {"point": "picture"}       move the mouse
    {"click": "Generate"}      "button": 2 is the right button, "twice": true a double click
    {"drag": "picture", "by": [40, 10]}
    {"wheel": 5, "at": "picture"}     notches; positive zooms in
    {"type": "The dog"}        type characters
    {"key": "Ctrl+P"}          press a key combination
    {"resize": [900, 600]}     resize the window, in logical pixels
    {"picture": "prompt"}      save prompt.png in the tour's picture folder
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from compute.errors import TourError
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as
from compute.io.untrusted_json import read_untrusted_json

from . import old_names
from .steps import LONGEST_QUOTE, checked

Event = dict[str, Any]

# Frames between a step and its first event, in which the panels settle.
_SETTLE = 1
_HIDDEN = 10  # after this many frames without a widget, its panel is brought to the front
_MAX_FRAMES = 1500  # how many frames a tour waits for a step before it fails
_OFFSET = re.compile(r"^(?P<label>.*?)(?:\+(?P<x>-?\d{1,5}),(?P<y>-?\d{1,5}))?$", re.DOTALL)
_KEY_NAMES = {"Up": "ArrowUp", "Down": "ArrowDown", "Left": "ArrowLeft", "Right": "ArrowRight", "Space": " "}
_MODIFIER_NAMES = {"Ctrl": "Control", "Shift": "Shift", "Alt": "Alt"}


def read_tour(path: Path) -> list[dict[str, Any]]:
    """The steps of a tour file. Raises a `TourError` that names the file, the line and what is wrong."""
    with read_errors_as(TourError, one_line(path), "give a tour file"):
        lines = path.read_text("utf-8").splitlines()
    steps = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{one_line(path)}: line {number}"
        try:
            step = read_untrusted_json(line)
        except ValueError as error:
            raise TourError(f"{where}: is not JSON ({error}); fix it") from None
        try:
            steps.append(checked(step) | {"line": number})
        except ValueError as error:
            raise TourError(f"{where}: {error}; fix it") from None
    return steps


class Tour:
    """Plays steps. Call `frame` after every frame; it sends events with `send`."""

    def __init__(
        self,
        steps: Iterable[dict[str, Any]],
        send: Callable[[Event], None],
        resize: Callable[[float, float], None],
        picture: Callable[[str], None],
        reached: Callable[[dict[str, Any]], bool],
    ) -> None:
        """send: passes an event to the window; resize: sets its size; picture: requests a picture with the given name;
        reached: returns whether the condition of a `wait` step is met."""
        self._steps = deque(steps)
        self._send, self._resize, self._picture, self._reached = send, resize, picture, reached
        self._queue: deque[tuple[int, Event]] = deque()  # (frames to wait after the event, event)
        self._pause = self._waited = 0
        self._pointer = (0.0, 0.0)
        self._revealed: dict[str, Any] | None = None  # the step whose panel was last brought to the front

    @property
    def done(self) -> bool:
        """True once the last step has been played."""
        return not self._steps and not self._queue and not self._pause

    def frame(self) -> None:
        """Play on after a frame has been drawn. Raises `TourError` if a step cannot be played."""
        if self._pause:
            self._pause -= 1
            return
        if self._queue:
            self._pause, event = self._queue.popleft()
            self._send(event)
            return
        if not self._steps:
            return
        step = self._steps[0]
        if not self._ready(step):
            self._waited += 1
            if self._waited > _MAX_FRAMES:
                shown = one_line(json.dumps(step), LONGEST_QUOTE)
                raise TourError(f"tour line {step.get('line', '?')}: timed out waiting for {shown}")
            return
        step = self._steps.popleft()
        self._waited, self._pause = 0, _SETTLE
        self._play(step)

    def _ready(self, step: dict[str, Any]) -> bool:
        if "wait" in step:
            return self._reached(step)
        label = step.get("point") or step.get("click") or step.get("drag") or step.get("at")
        if label is None or self._point_of(str(label)) is not None:
            return True
        tab = old_names.tab_of(str(label)) if self._waited == _HIDDEN and self._revealed is not step else None
        if tab is not None:
            self._revealed = step
            self._steps.appendleft({"click": tab})
            return True
        return False

    def _point_of(self, label: str) -> tuple[float, float] | None:
        rect = old_names.find(label)
        if rect is not None:
            return rect.center
        match = _OFFSET.match(label)
        rect = old_names.find(match["label"]) if match else None
        if rect is None or match is None or match["x"] is None:
            return None
        x, y = rect.center
        return x + int(match["x"]), y + int(match["y"])

    def _play(self, step: dict[str, Any]) -> None:
        if "frames" in step:
            self._pause = int(step["frames"])
        elif "point" in step:
            self._move(step["point"])
        elif "click" in step:
            self._move(step["click"])
            for _ in range(2 if step.get("twice") else 1):
                self._press(int(step.get("button", 1)), True, 1)
                self._press(int(step.get("button", 1)), False, 1)
        elif "drag" in step:
            self._move(step["drag"])
            self._press(1, True, 2)
            x, y = self._pointer
            for part in (0.5, 1.0):
                self._move_to(x + part * step["by"][0], y + part * step["by"][1])
            self._press(1, False, 1)
        elif "wheel" in step:
            self._move(step["at"])
            self._queue.append((1, self._pointer_event("wheel") | {"dx": 0.0, "dy": -100.0 * step["wheel"]}))
        elif "type" in step:
            for character in step["type"]:
                self._queue.append((0, {"event_type": "char", "data": character}))
        elif "key" in step:
            self._chord(step["key"])
        elif "resize" in step:
            self._resize(*step["resize"])
        elif "picture" in step:
            self._picture(str(step["picture"]))

    def _move(self, label: str) -> None:
        point = self._point_of(label)
        assert point is not None  # `_ready` has checked it
        self._move_to(*point)

    def _move_to(self, x: float, y: float) -> None:
        self._pointer = (x, y)
        self._queue.append((1, self._pointer_event("pointer_move")))

    def _press(self, button: int, down: bool, frames: int) -> None:
        kind = "pointer_down" if down else "pointer_up"
        self._queue.append((frames, self._pointer_event(kind) | {"button": button}))

    def _pointer_event(self, kind: str) -> Event:
        x, y = self._pointer
        return {"event_type": kind, "x": x, "y": y, "button": 0, "buttons": (), "modifiers": (), "ntouches": 0,
                "touches": {}}  # fmt: skip

    def _chord(self, chord: str) -> None:
        from atlas_viewer.ui.shortcuts import parts

        held, name = parts(chord)
        key = _KEY_NAMES.get(name, name.lower() if len(name) == 1 else name)
        names = [*(_MODIFIER_NAMES[modifier] for modifier in sorted(held)), key]
        for name in names:
            self._queue.append((0, {"event_type": "key_down", "key": name, "modifiers": ()}))
        self._queue.append((1, {"event_type": "key_up", "key": key, "modifiers": ()}))
        for name in reversed(names[:-1]):
            self._queue.append((1, {"event_type": "key_up", "key": name, "modifiers": ()}))
