"""Notes what changes on screen while a window is recorded: where its cameras look, and what is chosen."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from atlas_viewer.state.state import State

from .cameras import MAP, STRIP, TITLES, VIEW, camera_data, viewport_data
from .recorder import Recorder

_EVERY = 0.1  # seconds at least between two events, and between two places of a camera
_LONGEST = 1_000_000  # characters of a text
_VIEWS = {title: view for view, title in TITLES.items()}


class Notes:
    """Of one recording."""

    def __init__(self, state: State, recorder: Recorder) -> None:
        self._state, self._recorder = state, recorder
        self._events: dict[str, Any] = {}  # what was noted last
        self._events_at = -math.inf
        self._cameras: dict[str, tuple[object, float]] = {}  # the place of each camera, and when it was noted

    def frame(self, now: float) -> None:
        """A frame has been drawn: note what is new, `now` in seconds."""
        self._note_strip(now)
        self._note_map(now)
        if now - self._events_at >= _EVERY:
            self._note_interface(now)

    def end(self) -> None:
        """Note what is still new."""
        self.frame(math.inf)

    def _note_strip(self, now: float) -> None:
        camera = self._state.camera
        self._note_camera(STRIP, (camera.zoom, *camera.center), lambda: camera_data(camera), now)

    def _note_map(self, now: float) -> None:
        maps = self._state.map
        if maps.layout is not None:
            # The same stand is another place in another layout, and shows more in a larger picture.
            self._note_camera(
                MAP, (maps.camera.pose, maps.size, maps.layout), lambda: viewport_data(maps.viewport()), now
            )

    def _note_camera(self, view: str, place: object, data: Callable[[], dict[str, Any]], now: float) -> None:
        before, at = self._cameras.get(view, (None, -math.inf))
        if place != before and now - at >= _EVERY:
            self._cameras[view] = (place, now)
            self._recorder.camera(view, data())

    def _note_interface(self, now: float) -> None:
        state = self._state
        seen = {
            "chosen": state.chosen,
            "compared": state.compared,
            "selected": state.inspection.selected,
            "look": state.inspection.mapping,
            "options": state.options,
            "theme": state.ui.theme,
            "zoom": state.ui.zoom,
            VIEW: _VIEWS[state.ui.view],
        }
        for name, value in seen.items():
            if name not in self._events or self._events[name] != value:
                self._recorder.event(name, {"value": plain(value)})
                self._events_at = now
        self._events = seen


def plain(value: Any) -> Any:
    """`value` as JSON has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    if isinstance(value, str):
        # As a reader takes it: prompts are in the file in full elsewhere, and names of files may be no UTF-8.
        return value[:_LONGEST].encode(errors="backslashreplace").decode()
    return value if value is None or isinstance(value, bool | int) else _number(value)


def _number(value: Any) -> float | str | None:
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return str(value)
