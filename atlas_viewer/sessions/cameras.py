"""Where the camera of the strip was, at any time of a session."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence

from atlas_viewer.camera import StripCamera

from .contents import Mark

# Camera at a time of the session, in seconds.
CameraAt = Callable[[float], StripCamera]


def fixed_camera(zoom: float, center: tuple[float, float] | None) -> CameraAt:
    """The same camera all the time; `center` in cells, None is the middle."""
    camera = StripCamera()
    camera.look_at(zoom, *(center or camera.center))
    return lambda _: camera


def recorded_camera(marks: Sequence[Mark]) -> CameraAt:
    """The strip's camera as it was recorded: it stays where it was put last. Marks without numbers are left out."""
    known = [(mark.time, camera) for mark in marks if mark.name == "strip" and (camera := _camera(mark)) is not None]
    known.sort(key=lambda pair: pair[0])
    times = [time for time, _ in known]

    def at(time: float) -> StripCamera:
        place = bisect.bisect_right(times, time)
        return known[place - 1][1] if place else StripCamera()

    return at


def _camera(mark: Mark) -> StripCamera | None:
    numbers = [mark.data.get(name) for name in ("zoom", "x", "y")]
    zoom, x, y = (float(n) if isinstance(n, int | float) and abs(n) < 1e6 else None for n in numbers)
    if zoom is None or x is None or y is None:
        return None
    camera = StripCamera()
    camera.look_at(zoom, x, y)
    return camera
