"""The camera of the strip atlas: which part of the cells is seen. Plain arithmetic, no graphics."""

from __future__ import annotations

from dataclasses import dataclass

CELLS_WIDE = 640
CELLS_HIGH = 360
ZOOM_MAX = 64.0
# Wheel units (a notch is 100) that double the zoom.
UNITS_PER_DOUBLING = 500.0


@dataclass(frozen=True)
class View:
    """A rectangle of the atlas in cells; cell (0, 0) is top left, y goes down."""

    x: float
    y: float
    width: float
    height: float


class StripCamera:
    """Zoom (1 shows everything, 64 is the most) and centre, always inside the atlas.

    Places in the picture are fractions (u, v) of its width and height, (0, 0) top left, so that the camera need not
    know how many pixels the picture has.
    """

    def __init__(self) -> None:
        self.zoom = 1.0
        self.center = (CELLS_WIDE / 2, CELLS_HIGH / 2)

    @property
    def view(self) -> View:
        """The cells that are seen."""
        width, height = CELLS_WIDE / self.zoom, CELLS_HIGH / self.zoom
        return View(self.center[0] - width / 2, self.center[1] - height / 2, width, height)

    def cell_at(self, u: float, v: float) -> tuple[float, float]:
        """The place in the atlas, in cells, under the place (u, v) of the picture."""
        view = self.view
        return view.x + u * view.width, view.y + v * view.height

    def wheel(self, units: float, u: float, v: float) -> None:
        """Zoom by `units` of the wheel (positive zooms in); the cell under (u, v) stays if the edges let it."""
        x, y = self.cell_at(u, v)
        zoom = min(max(self.zoom * 2.0 ** (units / UNITS_PER_DOUBLING), 1.0), ZOOM_MAX)
        width, height = CELLS_WIDE / zoom, CELLS_HIGH / zoom
        self.look_at(zoom, x + (0.5 - u) * width, y + (0.5 - v) * height)

    def drag(self, du: float, dv: float) -> None:
        """Move the picture by fractions of its size: the cell under the cursor follows it."""
        view = self.view
        self.look_at(self.zoom, self.center[0] - du * view.width, self.center[1] - dv * view.height)

    def look_at(self, zoom: float, x: float, y: float) -> None:
        """Show `zoom` with cell (x, y) in the middle, both moved to the nearest that is allowed."""
        self.zoom = min(max(zoom, 1.0), ZOOM_MAX)
        half_wide, half_high = CELLS_WIDE / self.zoom / 2, CELLS_HIGH / self.zoom / 2
        self.center = (
            min(max(x, half_wide), CELLS_WIDE - half_wide),
            min(max(y, half_high), CELLS_HIGH - half_high),
        )

    def reset(self) -> None:
        """Show the whole atlas."""
        self.look_at(1.0, CELLS_WIDE / 2, CELLS_HIGH / 2)


def fitted(width: int, height: int) -> tuple[int, int]:
    """The largest size in pixels, at least 1 x 1, inside width x height that has the atlas' proportions."""
    if width * CELLS_HIGH > height * CELLS_WIDE:
        width = round(height * CELLS_WIDE / CELLS_HIGH)
    else:
        height = round(width * CELLS_HIGH / CELLS_WIDE)
    return max(width, 1), max(height, 1)
