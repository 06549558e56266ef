"""One tensor on Map: from a value to its cell and back, by plain arithmetic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """A tensor as [rows, columns] on the plane, cut into bands of band_rows x band_columns cells.

    Bands are numbered along the columns first. `across` of them are side by side, pitch_x cells apart; the next line
    of bands is pitch_y cells below. The rows of an attention pattern are those of all heads, one head after the other.
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

    @property
    def over(self) -> int:
        """Bands per row."""
        return -(-self.columns // self.band_columns)

    @property
    def bands(self) -> int:
        """Number of bands."""
        return -(-self.rows // self.band_rows) * self.over

    @property
    def lines(self) -> int:
        """Number of lines of bands."""
        return -(-self.bands // self.across)

    @property
    def width(self) -> int:
        """Cells from the left edge to the end of the rightmost band."""
        return (min(self.across, self.bands) - 1) * self.pitch_x + self.band_columns

    @property
    def height(self) -> int:
        """Cells from the top edge to the end of the last line."""
        return (self.lines - 1) * self.pitch_y + self.band_rows

    def cell_of(self, row: int, column: int) -> tuple[int, int]:
        """The cell of the value at [row, column]."""
        band = row // self.band_rows * self.over + column // self.band_columns
        return (
            self.x + band % self.across * self.pitch_x + column % self.band_columns,
            self.y + band // self.across * self.pitch_y + row % self.band_rows,
        )

    def value_at(self, x: int, y: int) -> tuple[int, int] | None:
        """(row, column) of the value at cell (x, y); None where the tensor has none."""
        slot, inside_x = divmod(x - self.x, self.pitch_x)
        line, inside_y = divmod(y - self.y, self.pitch_y)
        if not (0 <= slot < self.across and line >= 0 and inside_x < self.band_columns and inside_y < self.band_rows):
            return None
        band = line * self.across + slot
        row = band // self.over * self.band_rows + inside_y
        column = band % self.over * self.band_columns + inside_x
        return (row, column) if row < self.rows and column < self.columns else None

    def value_near(self, x: int, y: int) -> tuple[int, int]:
        """(row, column) of the value at cell (x, y), or of a nearby value where the tensor has none."""
        slot, inside_x = divmod(min(max(x - self.x, 0), self.width - 1), self.pitch_x)
        line, inside_y = divmod(min(max(y - self.y, 0), self.height - 1), self.pitch_y)
        inside = min(inside_x, self.band_columns - 1), min(inside_y, self.band_rows - 1)
        cell = self.x + slot * self.pitch_x + inside[0], self.y + line * self.pitch_y + inside[1]
        # The last band may be shorter or absent.
        return self.value_at(*cell) or (self.rows - 1, self.columns - 1)

    def band_box(self, band: int) -> tuple[int, int, int, int]:
        """(x, y, width, height) of a band. The last ones may be smaller than the others."""
        row, column = band // self.over * self.band_rows, band % self.over * self.band_columns
        x, y = self.cell_of(row, column)
        return x, y, min(self.band_columns, self.columns - column), min(self.band_rows, self.rows - row)
