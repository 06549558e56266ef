"""Strip's camera: which cells are visible. Plain arithmetic, no graphics."""

from __future__ import annotations

from dataclasses import dataclass

CELLS_WIDE = 640
CELLS_HIGH = 360
ZOOM_MAX = 64.0
# Number of wheel units that doubles the zoom; one notch is 100.
UNITS_PER_DOUBLING = 500.0


@dataclass(frozen=True)
class View:
    """A rectangle on Strip, in cells; cell (0, 0) is at the top left, and y points down."""

    x: float
    y: float
    width: float
    height: float


class StripCamera:
    """Zoom, from 1 (everything) to 64, and center. The view never leaves the grid of cells.

    Positions in the picture are fractions (u, v) of its width and height, with (0, 0) at the top left, so that the
    camera does not depend on the picture's size in pixels.
    """

    def __init__(self, wide: int = CELLS_WIDE, high: int = CELLS_HIGH) -> None:
        """wide, high: the size of the grid in cells."""
        self.wide, self.high = wide, high
        self.zoom = 1.0
        self.center = (wide / 2, high / 2)
        self.target = self.center  # as `center`, or beyond its range, see `aim`

    @property
    def view(self) -> View:
        """The visible cells."""
        width, height = self.wide / self.zoom, self.high / self.zoom
        return View(self.center[0] - width / 2, self.center[1] - height / 2, width, height)

    def cell_at(self, u: float, v: float) -> tuple[float, float]:
        """The position on Strip, in cells, at (u, v) in the picture."""
        view = self.view
        return view.x + u * view.width, view.y + v * view.height

    def wheel(self, units: float, u: float, v: float) -> None:
        """Zoom by `units` of the wheel; positive units zoom in. The cell at (u, v) stays there if the edges allow."""
        x, y = self.cell_at(u, v)
        zoom = min(max(self.zoom * 2.0 ** (units / UNITS_PER_DOUBLING), 1.0), ZOOM_MAX)
        width, height = self.wide / zoom, self.high / zoom
        self.look_at(zoom, x + (0.5 - u) * width, y + (0.5 - v) * height)

    def drag(self, du: float, dv: float) -> None:
        """Move the picture by fractions of its size; the cell under the cursor stays under it."""
        view = self.view
        self.look_at(self.zoom, self.center[0] - du * view.width, self.center[1] - dv * view.height)

    def look_at(self, zoom: float, x: float, y: float) -> None:
        """Center cell (x, y) at `zoom`; both are clamped to the allowed range."""
        self.zoom = min(max(zoom, 1.0), ZOOM_MAX)
        half_wide, half_high = self.wide / self.zoom / 2, self.high / self.zoom / 2
        self.center = (
            min(max(x, half_wide), self.wide - half_wide),
            min(max(y, half_high), self.high - half_high),
        )
        self.target = self.center

    def aim(self, zoom: float, x: float, y: float) -> None:
        """As `look_at`, but keep (x, y) as `target` even if the view cannot be centered there."""
        self.look_at(zoom, x, y)
        self.target = (x, y)

    def reset(self) -> None:
        """Show everything."""
        self.look_at(1.0, self.wide / 2, self.high / 2)


def fitted(width: int, height: int, wide: int = CELLS_WIDE, high: int = CELLS_HIGH) -> tuple[int, int]:
    """The largest size with the proportions wide : high that fits width x height pixels; at least 1 x 1."""
    if width * high > height * wide:
        width = round(height * wide / high)
    else:
        height = round(width * high / wide)
    return max(width, 1), max(height, 1)
