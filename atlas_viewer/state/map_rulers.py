"""Row and column labels on Map, and the rulers that keep them visible at the edges of the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .label_space import SMALL, TENSOR, Label, LabelSpace, Ruler, elided
from .map_bands import Band, Visible

_ROW_LEAST, _COLUMN_LEAST = 12.0, 34.0  # minimum cell size in pixels for row labels and for column labels
_CELL_LEAST = 49.0  # the same for tokens in the cells of the logits
_LEFT = 12 * SMALL / 2 + 6  # width of the ruler for rows
_NAMES, _COLUMNS = TENSOR + 5.0, SMALL + 3.0  # heights of the lines of the ruler for columns


def rulers(shown: Visible) -> Sequence[Ruler]:
    """The rulers that this picture needs: at the top for names and columns, at the left for rows."""
    found = []
    high = 0.0
    if any(_continues_above(band) for band in shown.bands):
        high = _NAMES
        if any(_has_columns(band) and _columns_hidden(band) for band in shown.bands):
            high += _COLUMNS
        found.append(Ruler(0, 0, shown.width, high))
    if any(_has_rows(band) and band.left < 2 * SMALL and band.right > _LEFT for band in shown.bands):
        found.append(Ruler(0, 0, _LEFT, shown.height))
    return tuple(found)


def rows_along(shown: Visible, space: LabelSpace, left: float, top: float) -> None:
    """Add the labels of rows, beside the data or in the ruler."""
    for band in shown.bands:
        if not _has_rows(band):
            continue
        # Left of the logits is the margin of a part of the model.
        gap = shown.pixels(shown.layout.margin if band.tensor.is_logits else shown.layout.grid / 2) - 8
        ruled = band.left < max(left, 2 * SMALL)
        if ruled and (not left or band.right <= left):
            continue
        size = min(SMALL, int(band.cell_height))
        for row in _shown(band.top, band.cell_height, band.rows, top, shown.height):
            text = row_text(shown, band, band.first_row + row)
            if text is None:
                continue
            y = band.top + (row + 0.5) * band.cell_height - size / 2
            if ruled:
                space.add_ruled(Label(elided(text, left - 6, size), 3.0, y, size, role=band.role, ruler=True))
            else:
                cut = elided(text, min(gap, band.left - left - 4), size)
                label = Label(cut, 0, y, size, role=band.role)
                space.add(Label(cut, band.left - label.width - 4, y, size, role=band.role))


def columns_along(shown: Visible, space: LabelSpace, left: float, top: float) -> None:
    """Add the labels of columns, above the data or in the ruler."""
    for band in shown.bands:
        if not _has_columns(band):
            continue
        y = band.top - TENSOR - SMALL - 5
        ruled = y < top
        if ruled and (band.bottom <= top or not top):
            continue
        for column in _shown(band.left, band.cell_width, band.columns, left, shown.width):
            text = column_text(shown, band, band.first_column + column)
            cut = elided(text, band.cell_width - 6, SMALL) if text is not None else ""
            label = Label(cut, 0, top - SMALL - 2 if ruled else y, SMALL, role=band.role, ruler=ruled)
            x = band.left + (column + 0.5) * band.cell_width - label.width / 2
            placed = Label(cut, x, label.y, SMALL, role=band.role, ruler=ruled)
            if ruled:
                space.add_ruled(placed)
            else:
                space.add(placed)


def has_cell_labels(shown: Visible) -> bool:
    """True when rows or columns of some tensor are large enough for labels."""
    return any(_has_rows(band) or _has_columns(band) for band in shown.bands)


def in_cells(shown: Visible, left: float, top: float) -> Iterator[Label]:
    """The token of each cell of the logits, above its number."""
    for band in shown.bands:
        if not band.tensor.is_logits:
            continue
        columns, cell = band.columns, band.cell_width
        if cell < _CELL_LEAST:
            continue
        for row in _shown(band.top, cell, band.rows, top, shown.height):
            for column in _shown(band.left, cell, columns, left, shown.width):
                token = row * columns + column
                x, y = band.left + column * cell + 3, band.top + row * cell + 3
                if token < shown.registry.config.vocabulary and x >= left and y >= top:
                    text = elided(shown.words.vocabulary(token), cell - 6, SMALL)
                    if text:
                        yield Label(text, x, y, SMALL, role=band.role)


def row_text(shown: Visible, band: Band, row: int) -> str | None:
    """The label of a row of the tensor; None when it has none."""
    registry, tensor = shown.registry, band.tensor
    if tensor.is_logits:
        first = row * band.placement.band_columns
        return f"{first}-{min(first + band.placement.band_columns, band.placement.columns) - 1}"
    if tensor.rows is None:
        row %= shown.layout.context
        return shown.words.context(row) if row < registry.rows else None
    if tensor.name in registry.description.token_tables:
        return shown.words.vocabulary(row) if row < registry.config.vocabulary else None
    return str(row)


def column_text(shown: Visible, band: Band, column: int) -> str | None:
    """The label of a column of the tensor; None when it has none."""
    if band.tensor.heads:
        return shown.words.context(column) if column < shown.registry.rows else None
    return str(column)


def _has_rows(band: Band) -> bool:
    return band.cell_height >= _ROW_LEAST and (band.tensor.is_logits or not band.tensor.vector)


def _has_columns(band: Band) -> bool:
    return band.cell_width >= _COLUMN_LEAST and not band.tensor.is_logits


def _continues_above(band: Band) -> bool:
    """True when the name of a band is above the picture."""
    return band.top - TENSOR - 3 < 0 and band.bottom > _NAMES


def _columns_hidden(band: Band) -> bool:
    return band.top - TENSOR - SMALL - 5 < _NAMES + _COLUMNS and band.bottom > _NAMES + _COLUMNS


def _shown(start: float, cell: float, count: int, low: float, high: float) -> range:
    """The cells of an axis whose centers are between `low` and `high`."""
    first = max(0, int((low - start) / cell + 0.5))
    return range(first, max(first, min(count, int((high - start) / cell + 0.5))))
