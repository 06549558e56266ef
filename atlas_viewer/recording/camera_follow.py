"""Moves a window's cameras as recorded, until the user moves one of them."""

from __future__ import annotations

from collections.abc import Sequence

from atlas_viewer.state.map_camera import CameraPose
from atlas_viewer.state.recording_state import PlaybackState
from atlas_viewer.state.state import State
from compute.views.map_layout import MapLayout

from .cameras import TITLES, recorded_camera_track
from .records import UiEvent

_MOVED = 1e-6  # of zoom and center
# Frames between a request for a tab and its appearance in front; until then, the previous tab is in front.
_SETTLE = 3


class CameraFollower:
    """Moves both cameras, and brings the recorded view to the front, while `playback.camera` is on."""

    def __init__(self, state: State, playback: PlaybackState) -> None:
        self._state, self._playback = state, playback
        self._track = recorded_camera_track((), ())
        self._strip: tuple[float, ...] | None = None  # the camera poses last set here
        self._map: tuple[MapLayout, CameraPose] | None = None
        self._view: str | None = None  # the view last brought to the front here
        self._came = False  # whether it has reached the front
        self._frames = 0  # since the request for it

    def take(self, cameras: Sequence[UiEvent], events: Sequence[UiEvent]) -> None:
        """Use the cameras and events recorded so far. Without a camera, there is nothing to follow."""
        self._track = recorded_camera_track(cameras, events)
        self._playback.camera &= bool(cameras)

    def frame(self, time: float | None) -> None:
        """Show what was visible at that time in the recording; None leaves everything unchanged."""
        if self._playback.camera and self._user_has_moved():
            self._playback.camera = False
        if not self._playback.camera:
            self._strip = self._map = self._view = None
            return
        if time is not None:
            self._raise(self._track.view(time))
            self._move(time)
        self._strip = self._strip_pose()

    def _user_has_moved(self) -> bool:
        """True if a camera has moved since it was set here, or another tab covers the view that was raised."""
        if self._strip is not None and _far(self._strip, self._strip_pose()):
            return True
        before, now = self._map, self._map_pose()
        # The new layout itself has moved the camera.
        if before is not None and now is not None and before[0] is now[0] and _far(_numbers(before), _numbers(now)):
            return True
        return self._came and self._view is not None and not self._is_shown(self._view)

    def _raise(self, view: str | None) -> None:
        """Bring that view to the front, once; the keyboard focus does not change."""
        if view is None:
            return
        self._frames += 1
        if view != self._view:
            self._view, self._came, self._frames = view, False, 0
            self._state.ui.view = self._state.ui.raised = TITLES[view]
        self._came |= self._frames >= _SETTLE and self._is_shown(view)

    def _move(self, time: float) -> None:
        strip, viewport = self._track.strip(time), self._track.map(time)
        self._state.camera.aim(strip.zoom, *strip.target)
        if viewport is not None:
            self._state.map.show(viewport)
        # Without a recorded viewport, Map is left to the user.
        self._map = None if viewport is None else self._map_pose()

    def _is_shown(self, view: str) -> bool:
        return TITLES[view] in self._state.ui.shown

    def _strip_pose(self) -> tuple[float, ...]:
        camera = self._state.camera
        return (camera.zoom, *camera.target)

    def _map_pose(self) -> tuple[MapLayout, CameraPose] | None:
        maps = self._state.map
        return None if maps.layout is None else (maps.layout, maps.camera.pose)


def _numbers(layout_and_pose: tuple[MapLayout, CameraPose]) -> tuple[float, ...]:
    pose = layout_and_pose[1]
    return pose.zoom, pose.x, pose.y


def _far(before: tuple[float, ...], now: tuple[float, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(before, now, strict=True)) > _MOVED
