"""What the window shows of the strip: the sheet and its camera, in agreement with the recorded camera."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.models.tensor_index import TensorIndex
from compute.views.strip_layout import Span
from compute.views.strip_sheet import EMPTY_SHEET, ROWS, StripSheet

from .camera import StripCamera
from .inspection import Inspection

_FRAMED = 0.9  # of the picture that a framed tensor fills


def _pose(camera: StripCamera) -> tuple[float, float, float]:
    return (camera.zoom, *camera.target)


@dataclass
class StripView:
    """The sheet and its camera. Recordings keep a camera over Strip's own cells, so there are two of them."""

    sheet: StripSheet = EMPTY_SHEET
    camera: StripCamera = field(default_factory=StripCamera)
    _seen: tuple[float, ...] = ()  # the poses of both cameras when they last agreed
    _recorded: tuple[float, ...] = ()

    def lay_out(self, sheet: StripSheet, recorded: StripCamera) -> None:
        """Show another sheet, with the same cell of Strip in the center."""
        if sheet == self.sheet:
            return
        self.agree(recorded)
        self.sheet = sheet
        if (sheet.width, sheet.height) != (self.camera.wide, self.camera.high):
            self.camera = StripCamera(sheet.width, sheet.height)
            self._recorded = ()
        self.agree(recorded)

    def agree(self, recorded: StripCamera) -> None:
        """Move the camera that has not moved since the last call to where the other is; both: `recorded` wins."""
        if _pose(recorded) != self._recorded:
            self.camera.look_at(recorded.zoom, *self.sheet.from_strip(*recorded.target))
        elif _pose(self.camera) != self._seen:
            recorded.aim(self.camera.zoom, *self.sheet.to_strip(*self.camera.center))
        self._recorded, self._seen = _pose(recorded), _pose(self.camera)

    def frame(self, span: Span) -> None:
        """Show a tensor as large as possible."""
        box = self.sheet.box_of(span.first)
        if box is not None:
            zoom = min(self.camera.wide / box.columns, self.camera.high / ROWS) * _FRAMED
            self.camera.look_at(zoom, box.x + box.columns / 2, box.y + ROWS / 2)

    def reveal(self, cell: int) -> None:
        """Move the camera so that a cell of Strip is visible."""
        position = self.sheet.position_of(cell)
        if position is None:
            return
        (x, y), view = position, self.camera.view
        if not (view.x <= x < view.x + view.width and view.y <= y < view.y + view.height):
            self.camera.look_at(self.camera.zoom, x + 0.5, y + 0.5)

    def moved(self, inspection: Inspection, columns: int, rows: int) -> bool:
        """Move the inspected value by cells of its box. False when nothing is inspected."""
        return inspection.step(columns, rows, beside=self._beside)

    def _beside(self, cell: int, columns: int, rows: int) -> int | None:
        position = self.sheet.position_of(cell)
        return None if position is None else self.sheet.cell_at(position[0] + columns, position[1] + rows)

    def element_at(self, inspection: Inspection, x: float, y: float) -> TensorIndex | None:
        """The values shown at a point of the sheet; None between boxes."""
        cell = self.sheet.cell_at(x, y)
        return None if cell is None else inspection.element_at(cell)
