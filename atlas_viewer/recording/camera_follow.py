"""Has a window look where a recorded one looked, until its user looks elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from atlas_viewer.state.map_camera import CameraPose
from atlas_viewer.state.recording_state import PlaybackState
from atlas_viewer.state.state import State
from compute.views.map_layout import MapLayout

from .cameras import TITLES, recorded_camera_track
from .records import UiEvent

_MOVED = 1e-6  # of zoom and centre
# A tab that is asked for is in front so many frames later, and one that was asked for before it until then.
_SETTLE = 3


class Following:
    """Moves both cameras, and brings the view to the front that was there, while `told.camera` is on."""

    def __init__(self, state: State, playback: PlaybackState) -> None:
        self._state, self._playback = state, playback
        self._looks = recorded_camera_track((), ())
        self._strip: tuple[float, ...] | None = None  # where the cameras were put last
        self._map: tuple[MapLayout, CameraPose] | None = None
        self._view: str | None = None  # what was brought to the front last
        self._came = False  # and whether it has come there
        self._frames = 0  # since it was asked for

    def take(self, cameras: Sequence[UiEvent], events: Sequence[UiEvent]) -> None:
        """What is recorded by now. Without a camera there is nothing to follow."""
        self._looks = recorded_camera_track(cameras, events)
        self._playback.camera &= bool(cameras)

    def frame(self, time: float | None) -> None:
        """Look as it was looked at that time of the session; None leaves everything where it is."""
        if self._playback.camera and self._user_looks_elsewhere():
            self._playback.camera = False
        if not self._playback.camera:
            self._strip = self._map = self._view = None
            return
        if time is not None:
            self._bring(self._looks.view(time))
            self._place(time)
        self._strip = self._strip_place()

    def _user_looks_elsewhere(self) -> bool:
        """True when a camera is not where it was put, or another tab covers what was brought to the front."""
        if self._strip is not None and _far(self._strip, self._strip_place()):
            return True
        before, now = self._map, self._map_place()
        # A layout that is new has moved the camera itself.
        if before is not None and now is not None and before[0] is now[0] and _far(_numbers(before), _numbers(now)):
            return True
        return self._came and self._view is not None and not self._is_shown(self._view)

    def _bring(self, view: str | None) -> None:
        """Bring that view to the front, once; the keyboard stays where it is."""
        if view is None:
            return
        self._frames += 1
        if view != self._view:
            self._view, self._came, self._frames = view, False, 0
            self._state.ui.view = self._state.ui.raised = TITLES[view]
        self._came |= self._frames >= _SETTLE and self._is_shown(view)

    def _place(self, time: float) -> None:
        strip, viewport = self._looks.strip(time), self._looks.map(time)
        self._state.camera.look_at(strip.zoom, *strip.center)
        if viewport is not None:
            self._state.map.show(viewport)
        # Where no place is known the map is the user's to move.
        self._map = None if viewport is None else self._map_place()

    def _is_shown(self, view: str) -> bool:
        return TITLES[view] in self._state.ui.shown

    def _strip_place(self) -> tuple[float, ...]:
        camera = self._state.camera
        return (camera.zoom, *camera.center)

    def _map_place(self) -> tuple[MapLayout, CameraPose] | None:
        maps = self._state.map
        return None if maps.layout is None else (maps.layout, maps.camera.pose)


def _numbers(place: tuple[MapLayout, CameraPose]) -> tuple[float, ...]:
    pose = place[1]
    return pose.zoom, pose.x, pose.y


def _far(before: tuple[float, ...], now: tuple[float, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(before, now, strict=True)) > _MOVED
