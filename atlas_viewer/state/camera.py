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

    def __init__(self) -> None:
        self.zoom = 1.0
        self.center = (CELLS_WIDE / 2, CELLS_HIGH / 2)

    @property
    def view(self) -> View:
        """The visible cells."""
        width, height = CELLS_WIDE / self.zoom, CELLS_HIGH / self.zoom
        return View(self.center[0] - width / 2, self.center[1] - height / 2, width, height)

    def cell_at(self, u: float, v: float) -> tuple[float, float]:
        """The position on Strip, in cells, at (u, v) in the picture."""
        view = self.view
        return view.x + u * view.width, view.y + v * view.height

    def wheel(self, units: float, u: float, v: float) -> None:
        """Zoom by `units` of the wheel; positive units zoom in. The cell at (u, v) stays there if the edges allow."""
        x, y = self.cell_at(u, v)
        zoom = min(max(self.zoom * 2.0 ** (units / UNITS_PER_DOUBLING), 1.0), ZOOM_MAX)
        width, height = CELLS_WIDE / zoom, CELLS_HIGH / zoom
        self.look_at(zoom, x + (0.5 - u) * width, y + (0.5 - v) * height)

    def drag(self, du: float, dv: float) -> None:
        """Move the picture by fractions of its size; the cell under the cursor stays under it."""
        view = self.view
        self.look_at(self.zoom, self.center[0] - du * view.width, self.center[1] - dv * view.height)

    def look_at(self, zoom: float, x: float, y: float) -> None:
        """Center cell (x, y) at `zoom`; both are clamped to the allowed range."""
        self.zoom = min(max(zoom, 1.0), ZOOM_MAX)
        half_wide, half_high = CELLS_WIDE / self.zoom / 2, CELLS_HIGH / self.zoom / 2
        self.center = (
            min(max(x, half_wide), CELLS_WIDE - half_wide),
            min(max(y, half_high), CELLS_HIGH - half_high),
        )

    def reset(self) -> None:
        """Show everything."""
        self.look_at(1.0, CELLS_WIDE / 2, CELLS_HIGH / 2)


def fitted(width: int, height: int) -> tuple[int, int]:
    """The largest size with Strip's aspect ratio that fits width x height pixels; at least 1 x 1."""
    if width * CELLS_HIGH > height * CELLS_WIDE:
        width = round(height * CELLS_WIDE / CELLS_HIGH)
    else:
        height = round(width * CELLS_HIGH / CELLS_WIDE)
    return max(width, 1), max(height, 1)
