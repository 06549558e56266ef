"""The cameras of Strip and Map, and the view in front, at any time in a recording."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from atlas_viewer.state import navigation
from atlas_viewer.state.camera import StripCamera
from atlas_viewer.state.map_viewport import MapViewport
from compute.models.tensor_index import TensorIndex

from .records import UiEvent

T = TypeVar("T")
STRIP, MAP = "strip", "map"  # the view names in the file
TITLES = {STRIP: navigation.ATLAS, MAP: navigation.MAP}  # and those in the window
VIEW = "view"  # the kind of event that reports which view is in front
# No valid recording exceeds these limits. Cameras clamp positions that are within them but outside the picture.
_LARGEST = 1_000_000_000  # for numbers of visible cells and for indices
_Near = Annotated[float, Meta(gt=-1e6, lt=1e6)]  # cells
_Extent = Annotated[float, Meta(ge=1e-3, lt=_LARGEST)]  # cells
_Index = Annotated[int, Meta(ge=0, lt=_LARGEST)]


class _StripView(msgspec.Struct):
    """The values that `camera_data` records."""

    zoom: _Near
    x: _Near
    y: _Near


class _MapView(msgspec.Struct):
    """The values that `viewport_data` records."""

    tensor: str
    index: Annotated[tuple[_Index, ...], Meta(min_length=1, max_length=3)]
    x: _Near
    y: _Near
    width: _Extent
    height: _Extent


# Each takes a time in the recording, in seconds.
CameraAt = Callable[[float], StripCamera]
ViewportAt = Callable[[float], MapViewport | None]


@dataclass(frozen=True)
class CameraTrack:
    """What was visible at a given time in the recording, in seconds; None before the first record."""

    strip: CameraAt
    map: ViewportAt
    view: Callable[[float], str | None]  # STRIP or MAP


def recorded_camera_track(cameras: Sequence[UiEvent], events: Sequence[UiEvent]) -> CameraTrack:
    """The track as recorded, without implausible values."""
    return CameraTrack(
        recorded_camera(cameras),
        recorded_viewport(cameras),
        _latest((ui_event.time, _view(ui_event.data.get("value"))) for ui_event in events if ui_event.name == VIEW),
    )


def fixed_camera(zoom: float, center: tuple[float, float] | None) -> CameraAt:
    """A camera that never moves; `center` is in cells, and None means the middle."""
    camera = StripCamera()
    camera.look_at(zoom, *(center or camera.center))
    return lambda _: camera


def recorded_camera(
    ui_events: Sequence[UiEvent], zoom: float = 1.0, center: tuple[float, float] | None = None
) -> CameraAt:
    """Strip's camera as recorded. At an implausible value, it stays at its latest position.

    zoom, center: as for `fixed_camera`, for the time before the first position.
    """
    latest = _latest((ui_event.time, _camera(ui_event.data)) for ui_event in ui_events if ui_event.name == STRIP)
    start = fixed_camera(zoom, center)
    return lambda time: latest(time) or start(time)


def recorded_viewport(ui_events: Sequence[UiEvent]) -> ViewportAt:
    """Map's viewport as recorded, without implausible values; None before the first one."""
    return _latest((ui_event.time, _viewport(ui_event.data)) for ui_event in ui_events if ui_event.name == MAP)


def camera_data(camera: StripCamera) -> dict[str, Any]:
    """The values recorded for Strip's camera."""
    return {"zoom": camera.zoom, "x": camera.target[0], "y": camera.target[1]}


def viewport_data(viewport: MapViewport) -> dict[str, Any]:
    """The values recorded for Map's viewport."""
    return {
        "tensor": viewport.target.name,
        "index": list(viewport.target.index),
        "x": viewport.x,
        "y": viewport.y,
        "width": viewport.width,
        "height": viewport.height,
    }


def _latest(pairs: Iterable[tuple[float, T | None]]) -> Callable[[float], T | None]:
    """A function that returns the latest value at a time. A pair is a time and a value, None if implausible."""
    known = [(time, value) for time, value in pairs if value is not None and math.isfinite(time)]
    known.sort(key=lambda pair: pair[0])
    times = [time for time, _ in known]

    def at(time: float) -> T | None:
        count = bisect.bisect_right(times, time)
        return known[count - 1][1] if count else None

    return at


def _camera(data: Mapping[str, Any]) -> StripCamera | None:
    recorded = _converted(data, _StripView)
    if recorded is None:
        return None
    camera = StripCamera()
    camera.aim(recorded.zoom, recorded.x, recorded.y)
    return camera


def _viewport(data: Mapping[str, Any]) -> MapViewport | None:
    view = _converted(data, _MapView)
    if view is None:
        return None
    return MapViewport(TensorIndex(view.tensor, view.index), view.x, view.y, view.width, view.height)


def _view(value: object) -> str | None:
    return value if isinstance(value, str) and value in (STRIP, MAP) else None


def _converted(data: Mapping[str, Any], kind: type[T]) -> T | None:
    """The data as a `kind`; None if it has the wrong type or is out of range."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError:
        return None
