"""A flight of Map's camera: along the path on which the picture seems to move evenly, over a short time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .map_camera import CameraPose

SECONDS = 0.6  # the longest flight
_CURVE = 1.4  # how far it zooms out on the way; see van Wijk and Nuij, Smooth and efficient zooming and panning (2003)
_NEAR = 1e-6  # relative distance that counts as none


@dataclass(frozen=True)
class _Path:
    """Widths of the visible part in cells at both ends, and the distance between the centers."""

    before: float
    after: float
    distance: float

    def at(self, share: float) -> tuple[float, float]:
        """Width, and the share of the distance, at `share` of the length."""
        squared = _CURVE**2
        if self.distance <= _NEAR * min(self.before, self.after):
            return self.before * (self.after / self.before) ** share, share
        spread = squared**2 * self.distance**2
        start, end = (
            (self.after**2 - self.before**2 + sign * spread) / (2 * width * squared * self.distance)
            for width, sign in ((self.before, 1), (self.after, -1))
        )
        first, last = -math.asinh(start), -math.asinh(end)
        at = first + share * (last - first)
        width = self.before * math.cosh(first) / math.cosh(at)
        moved = self.before / squared * (math.cosh(first) * math.tanh(at) - math.sinh(first))
        return width, moved / self.distance


@dataclass
class Flight:
    """From one pose to another. `whole`: width in cells of all of Map in the picture."""

    start: CameraPose
    end: CameraPose
    whole: float
    seconds: float = SECONDS
    begun: float | None = None  # when, in seconds; None before the first frame
    pose: CameraPose | None = None  # where the last frame left the camera

    def at(self, now: float) -> CameraPose:
        """The pose at a time; `end` once it has ended."""
        if self.begun is None:
            self.begun = now
        share = 1.0 if self.seconds <= 0 else min((now - self.begun) / self.seconds, 1.0)
        if share >= 1:
            return self.end
        eased = share * share * (3 - 2 * share)
        before, after = self.whole / self.start.zoom, self.whole / self.end.zoom
        across, down = self.end.x - self.start.x, self.end.y - self.start.y
        width, moved = _Path(before, after, math.hypot(across, down)).at(eased)
        return CameraPose(self.whole / width, self.start.x + moved * across, self.start.y + moved * down)
