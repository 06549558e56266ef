"""A flight of Map's camera from one pose to another: out, across and in again, so that the way can be followed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .map_camera import CameraPose

SECONDS = 0.5  # how long a flight takes
_CURVE = 1.4  # how far it zooms out on a long way


@dataclass(frozen=True)
class Flight:
    """From `start` to `end`, beginning at `began` seconds. width: cells that the picture shows across at zoom 1.

    The path is that of van Wijk and Nuij: at every moment the picture moves as fast as it appears to zoom.
    """

    start: CameraPose
    end: CameraPose
    began: float
    width: float

    def pose(self, now: float) -> CameraPose:
        """The pose at `now` seconds; exactly `end` once the flight is over."""
        share = (now - self.began) / SECONDS
        if share >= 1:
            return self.end
        share = max(share, 0.0)
        return self._at(share * share * (3 - 2 * share))  # starts and stops gently

    def _at(self, share: float) -> CameraPose:
        wide, last = self.width / self.start.zoom, self.width / self.end.zoom
        dx, dy = self.end.x - self.start.x, self.end.y - self.start.y
        way = math.hypot(dx, dy)
        if way < 1e-6 * wide:
            zoom = self.start.zoom * (self.end.zoom / self.start.zoom) ** share
            return CameraPose(zoom, self.start.x + share * dx, self.start.y + share * dy)
        square = _CURVE**2
        growth = last**2 - wide**2
        first = -math.asinh((growth + square**2 * way**2) / (2 * wide * square * way))
        final = -math.asinh((growth - square**2 * way**2) / (2 * last * square * way))
        at = first + share * (final - first)
        moved = wide / (square * way) * (math.cosh(first) * math.tanh(at) - math.sinh(first))
        width = wide * math.cosh(first) / math.cosh(at)
        return CameraPose(self.width / width, self.start.x + moved * dx, self.start.y + moved * dy)
