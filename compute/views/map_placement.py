"""One tensor on Map: from a value to its cell and back, by plain arithmetic.

The plane is measured in units. A cell is the rectangle of one value: one unit, or more where values are magnified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property


@dataclass(frozen=True)
class Placement:
    """A tensor as [rows, columns] on the plane, cut into bands of band_rows x band_columns values.

    A cell is cell_width x cell_height units, powers of two that divide x, y and the pitches. Bands are numbered along
    the columns first. `across` of them are side by side, pitch_x units apart; the next line of bands is pitch_y units
    below. The rows of an attention pattern are those of all heads, one head after the other.
    """

    name: str
    x: int
    y: int
    rows: int
    columns: int
    band_rows: int
    band_columns: int
    across: int
    pitch_x: int
    pitch_y: int
    cell_width: int = 1
    cell_height: int = 1

    @cached_property
    def over(self) -> int:
        """Bands per row."""
        return -(-self.columns // self.band_columns)

    @cached_property
    def bands(self) -> int:
        """Number of bands."""
        return -(-self.rows // self.band_rows) * self.over

    @cached_property
    def lines(self) -> int:
        """Number of lines of bands."""
        return -(-self.bands // self.across)

    @cached_property
    def width(self) -> int:
        """Units from the left edge to the end of the rightmost band."""
        return (min(self.across, self.bands) - 1) * self.pitch_x + self.band_columns * self.cell_width

    @cached_property
    def height(self) -> int:
        """Units from the top edge to the end of the last line."""
        return (self.lines - 1) * self.pitch_y + self.band_rows * self.cell_height

    def cell_of(self, row: int, column: int) -> tuple[int, int]:
        """The top left corner of the cell of the value at [row, column], in units."""
        band = row // self.band_rows * self.over + column // self.band_columns
        return (
            self.x + band % self.across * self.pitch_x + column % self.band_columns * self.cell_width,
            self.y + band // self.across * self.pitch_y + row % self.band_rows * self.cell_height,
        )

    def value_at(self, x: int, y: int) -> tuple[int, int] | None:
        """(row, column) of the value at unit (x, y); None where the tensor has none."""
        slot, inside_x = divmod(x - self.x, self.pitch_x)
        line, inside_y = divmod(y - self.y, self.pitch_y)
        inside_x, inside_y = inside_x // self.cell_width, inside_y // self.cell_height
        if not (0 <= slot < self.across and line >= 0 and inside_x < self.band_columns and inside_y < self.band_rows):
            return None
        band = line * self.across + slot
        row = band // self.over * self.band_rows + inside_y
        column = band % self.over * self.band_columns + inside_x
        return (row, column) if row < self.rows and column < self.columns else None

    def value_near(self, x: int, y: int) -> tuple[int, int]:
        """(row, column) of the value at unit (x, y), or of a nearby value where the tensor has none."""
        slot, inside_x = divmod(min(max(x - self.x, 0), self.width - 1), self.pitch_x)
        line, inside_y = divmod(min(max(y - self.y, 0), self.height - 1), self.pitch_y)
        inside_x = min(inside_x, self.band_columns * self.cell_width - 1)
        inside_y = min(inside_y, self.band_rows * self.cell_height - 1)
        cell = self.x + slot * self.pitch_x + inside_x, self.y + line * self.pitch_y + inside_y
        # The last band may be shorter or absent.
        return self.value_at(*cell) or (self.rows - 1, self.columns - 1)

    def band_box(self, band: int) -> tuple[int, int, int, int]:
        """(x, y, width, height) of a band, in units. The last ones may be smaller than the others."""
        row, column = band // self.over * self.band_rows, band % self.over * self.band_columns
        x, y = self.cell_of(row, column)
        columns, rows = min(self.band_columns, self.columns - column), min(self.band_rows, self.rows - row)
        return x, y, columns * self.cell_width, rows * self.cell_height

    def in_cells(self) -> Placement:
        """The same tensor on a plane whose unit is this tensor's cell."""
        wide, high = self.cell_width, self.cell_height
        return replace(
            self, x=self.x // wide, y=self.y // high, pitch_x=self.pitch_x // wide, pitch_y=self.pitch_y // high,
            cell_width=1, cell_height=1,
        )  # fmt: skip


def tiles_of(placement: Placement, grid: int) -> tuple[int, int]:
    """The number of tiles, each `grid` units square, that it covers across and down."""
    return -(-placement.width // grid), -(-placement.height // grid)
