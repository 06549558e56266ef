"""Map's camera: which part of the plane is visible, and the view history. Plain arithmetic, no graphics."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.views.map_view import MapView

from .camera import UNITS_PER_DOUBLING

CELL_MOST = 160.0  # width of a cell at the largest zoom, in pixels
_FRAMED = 0.9  # share of the picture that a framed box fills
_REMEMBERED = 100


@dataclass(frozen=True)
class CameraPose:
    """The zoom (1 shows everything) and the cell at the center of the picture."""

    zoom: float
    x: float
    y: float


class MapCamera:
    """Zoom and center over a plane of cells. Sizes and positions in the picture are in pixels."""

    def __init__(self, width: int, height: int) -> None:
        """Show everything. width, height: size of the plane, in cells."""
        self.width, self.height = width, height
        self.pose = CameraPose(1.0, width / 2, height / 2)

    def view(self, wide: int, high: int) -> MapView:
        """The part of the plane that a picture of wide x high pixels shows."""
        scale = self._whole(wide, high) / self.pose.zoom
        return MapView(self.pose.x - wide * scale / 2, self.pose.y - high * scale / 2, scale)

    def zoom_most(self, wide: int, high: int) -> float:
        """The largest zoom in a picture of wide x high pixels."""
        return max(1.0, CELL_MOST * self._whole(wide, high))

    def look_at(self, zoom: float, x: float, y: float, wide: int, high: int) -> None:
        """Center cell (x, y) at `zoom`; both are clamped to the allowed range."""
        zoom = min(max(zoom, 1.0), self.zoom_most(wide, high))
        scale = self._whole(wide, high) / zoom
        self.pose = CameraPose(zoom, _inside(x, wide * scale, self.width), _inside(y, high * scale, self.height))

    def wheel(self, units: float, px: float, py: float, wide: int, high: int) -> None:
        """Zoom by `units` of the wheel; positive units zoom in. The cell at (px, py) stays there if the edges allow."""
        x, y = self.view(wide, high).cell_at(px, py)
        zoom = min(max(self.pose.zoom * 2.0 ** (units / UNITS_PER_DOUBLING), 1.0), self.zoom_most(wide, high))
        scale = self._whole(wide, high) / zoom
        self.look_at(zoom, x + (wide / 2 - px) * scale, y + (high / 2 - py) * scale, wide, high)

    def drag(self, dx: float, dy: float, wide: int, high: int) -> None:
        """Move the picture by pixels; the cell under the cursor stays under it."""
        scale = self.view(wide, high).scale
        self.look_at(self.pose.zoom, self.pose.x - dx * scale, self.pose.y - dy * scale, wide, high)

    def frame(self, box: tuple[float, float, float, float], wide: int, high: int) -> None:
        """Show the box (x, y, width, height), in cells, as large as possible."""
        x, y, width, height = box
        self.cover(x + width / 2, y + height / 2, width / _FRAMED, height / _FRAMED, wide, high)

    def cover(self, x: float, y: float, width: float, height: float, wide: int, high: int) -> None:
        """Show at least width x height cells around cell (x, y), as large as possible."""
        scale = max(width / wide, height / high)
        self.look_at(self._whole(wide, high) / scale, x, y, wide, high)

    def reset(self) -> None:
        """Show everything."""
        self.pose = CameraPose(1.0, self.width / 2, self.height / 2)

    def _whole(self, wide: int, high: int) -> float:
        """Cells per pixel when everything is visible."""
        return max(self.width / wide, self.height / high)


def _inside(middle: float, visible: float, size: int) -> float:
    """The nearest center that leaves at most half of the view outside the plane."""
    if visible >= size:
        return size / 2
    return min(max(middle, 0.0), float(size))


@dataclass
class ViewHistory:
    """Earlier camera poses, for going back and forward."""

    poses: list[CameraPose] = field(default_factory=list)
    at: int = -1  # index of the current pose

    def visit(self, pose: CameraPose) -> None:
        """Add the current pose; poses after the current one are dropped."""
        if self.at >= 0 and self.poses[self.at] == pose:
            return
        del self.poses[self.at + 1 :]
        self.poses.append(pose)
        del self.poses[:-_REMEMBERED]
        self.at = len(self.poses) - 1

    def back(self) -> CameraPose | None:
        """The previous pose; None at the first."""
        return self._go(-1)

    def forward(self) -> CameraPose | None:
        """The next pose; None at the last."""
        return self._go(1)

    def _go(self, by: int) -> CameraPose | None:
        if not 0 <= self.at + by < len(self.poses):
            return None
        self.at += by
        return self.poses[self.at]
