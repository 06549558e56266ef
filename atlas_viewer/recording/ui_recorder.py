"""Records what changes in the window: its cameras and the user's choices."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from atlas_viewer.state.color_mapping import ColorMapping
from atlas_viewer.state.state import State

from .cameras import MAP, STRIP, TITLES, VIEW, camera_data, viewport_data
from .recorder import Recorder

_EVERY = 0.1  # seconds: the minimum time between two events, and between two positions of a camera
_LONGEST = 1_000_000  # characters of recorded text
_VIEWS = {title: view for view, title in TITLES.items()}
_LOOK = ("palette", "sampling", "span_scale", "low", "high")


class UiRecorder:
    """Records one window into one recording."""

    def __init__(self, state: State, recorder: Recorder) -> None:
        self._state, self._recorder = state, recorder
        self._events: dict[str, Any] = {}  # the latest recorded values
        self._events_at = -math.inf
        self._cameras: dict[str, tuple[object, float]] = {}  # pose of each camera, and when it was recorded

    def frame(self, now: float) -> None:
        """Record what has changed; called after every frame, at `now` in seconds."""
        self._record_strip(now)
        self._record_map(now)
        if now - self._events_at >= _EVERY:
            self._record_interface(now)

    def end(self) -> None:
        """Record what has changed since the last frame."""
        self.frame(math.inf)

    def _record_strip(self, now: float) -> None:
        camera = self._state.camera
        self._record_camera(STRIP, (camera.zoom, *camera.target), lambda: camera_data(camera), now)

    def _record_map(self, now: float) -> None:
        maps = self._state.map
        if maps.layout is not None:
            # The same pose shows something different in another layout, and more in a larger picture.
            self._record_camera(
                MAP, (maps.camera.pose, maps.size, maps.layout), lambda: viewport_data(maps.viewport()), now
            )

    def _record_camera(self, view: str, pose: object, data: Callable[[], dict[str, Any]], now: float) -> None:
        before, at = self._cameras.get(view, (None, -math.inf))
        if pose != before and now - at >= _EVERY:
            self._cameras[view] = (pose, now)
            self._recorder.camera(view, data())

    def _record_interface(self, now: float) -> None:
        state = self._state
        current = {
            "chosen": state.chosen,
            "compared": state.compared,
            "selected": state.inspection.selected,
            "look": _look(state.inspection.mapping),
            "options": state.options,
            "theme": state.ui.theme,
            "zoom": state.ui.zoom,
            # Recordings know Strip and Map; any other view leaves the recorded one as it was.
            VIEW: _VIEWS.get(state.ui.view, self._events.get(VIEW, MAP)),
        }
        for name, value in current.items():
            if name not in self._events or self._events[name] != value:
                self._recorder.event(name, {"value": plain(value)})
                self._events_at = now
        self._events = current


def _look(mapping: ColorMapping) -> dict[str, Any]:
    """The color mapping; of the fields that earlier versions do not have, those that differ from their defaults."""
    default = dataclasses.asdict(ColorMapping())
    return {
        name: value for name, value in dataclasses.asdict(mapping).items() if name in _LOOK or value != default[name]
    }


def plain(value: Any) -> Any:
    """`value` as plain JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    if isinstance(value, str):
        # Readers accept no other text. Prompts are stored in full elsewhere; file names may not be UTF-8.
        return value[:_LONGEST].encode(errors="backslashreplace").decode()
    return value if value is None or isinstance(value, bool | int) else _number(value)


def _number(value: Any) -> float | str | None:
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return str(value)
