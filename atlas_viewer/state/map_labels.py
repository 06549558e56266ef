"""Labels over Map: names of blocks, tensors and heads, row tokens, channel numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from compute.models.names import split_name
from compute.models.operations import Attention
from compute.models.registry import Registry, Tensor
from compute.views.map_layout import MapLayout
from compute.views.map_placement import Placement
from compute.views.map_view import MapView

# Heights of letters in pixels; letters are half as wide as they are high.
REGION, TENSOR, SMALL = 17, 13, 12
_MOST = 600
_ROW_LEAST, _COLUMN_LEAST = 11.0, 34.0  # minimum cell size in pixels for row labels and for column labels
_CELL_LEAST = 49.0  # the same for tokens in the cells of the logits


@dataclass(frozen=True)
class Label:
    """Text with its top left corner at (x, y) of the picture, in pixels.

    plate: whether it is drawn on its own background. of: the tensor or part of the model that it names, if any.
    """

    text: str
    x: float
    y: float
    size: int
    plate: bool = False
    of: str = ""

    @property
    def width(self) -> float:
        """In pixels."""
        return len(self.text) * self.size / 2


@dataclass(frozen=True)
class Words:
    """Token texts: by row of the context (None when unknown), and by number in the vocabulary."""

    context: Callable[[int], str | None]
    vocabulary: Callable[[int], str]


def labels_for(
    registry: Registry, layout: MapLayout, view: MapView, width: int, height: int, words: Words
) -> list[Label]:
    """The labels of `view` at width x height pixels, large parts first."""
    labels = [*_regions(layout, view), *_tensors(registry, layout, view, width, height, words)]
    return [
        label
        for label in labels
        if label.x < width and label.y < height and label.x + label.width > 0 and label.y + label.size > 0
    ][:_MOST]


def _regions(layout: MapLayout, view: MapView) -> Iterator[Label]:
    for region in layout.regions:
        x, y = view.pixel_at(region.x, region.y)
        top = y - REGION - 4 - (TENSOR + 3 if _named(layout, view) else 0)
        moved_in = top < 0 <= y  # moved to the picture's edge so that it is not cut off
        label = Label(region.title, x, 0.0 if moved_in else top, REGION, plate=moved_in, of=region.title)
        if label.width <= region.width / view.scale and label.y > -REGION:
            yield label


def _named(layout: MapLayout, view: MapView) -> bool:
    """True when the gaps between tensors have space for their names."""
    return layout.grid / 2 / view.scale >= TENSOR + 2


def _tensors(
    registry: Registry, layout: MapLayout, view: MapView, width: int, height: int, words: Words
) -> Iterator[Label]:
    for name, placement in layout.placements.items():
        left, top = view.pixel_at(placement.x, placement.y)
        wide, high = placement.width / view.scale, placement.height / view.scale
        band = placement.band_columns / view.scale
        if left > width or top > height or left + wide < -200 or top + high < -2 * TENSOR:
            continue
        yield from _name(name, layout, view, left, top, wide, high, band)
        if top < 0 and left < 0.7 * width and top + high > height:  # the name itself is not visible
            yield Label(name, max(left, 0.0) + 3, height - TENSOR - 4, TENSOR, plate=True, of=name)
        tensor = registry[name]
        for number in range(placement.bands):
            yield from _Band(registry, layout, tensor, placement, number, view, width, height, words).labels()


def _name(
    name: str, layout: MapLayout, view: MapView, left: float, top: float, wide: float, high: float, band: float
) -> Iterator[Label]:
    _, short = split_name(name)
    above = _named(layout, view)
    if above and left + wide > 0:
        yield Label(name, max(left, 0.0), top - TENSOR - 2, TENSOR, of=name)
    elif band >= len(short) * TENSOR / 2 + 8 and band * high >= 4 * TENSOR * len(short) * TENSOR / 2:
        yield Label(short, left + 3, top + 3, TENSOR, plate=True, of=name)


class _Band:
    """The labels of one band of a tensor."""

    def __init__(
        self,
        registry: Registry,
        layout: MapLayout,
        tensor: Tensor,
        placement: Placement,
        band: int,
        view: MapView,
        width: int,
        height: int,
        words: Words,
    ) -> None:
        self._registry, self._description, self._tensor = registry, registry.description, tensor
        self._view, self._words = view, words
        self._above = _named(layout, view)
        self._context = layout.context
        self._first_row = band // placement.over * placement.band_rows
        self._first_column = band % placement.over * placement.band_columns
        x, y, columns, rows = placement.band_box(band)
        self._band_columns = columns
        self._cell = 1 / view.scale
        self._left, self._top = view.pixel_at(x, y)
        self._right, self._bottom = view.pixel_at(x + columns, y + rows)
        self._columns = range(max(0, int(view.x) - x), min(columns, int(view.x + width * view.scale) - x + 1))
        self._rows = range(max(0, int(view.y) - y), min(rows, int(view.y + height * view.scale) - y + 1))

    def labels(self) -> Iterator[Label]:
        """The visible labels that fit."""
        if not self._columns or not self._rows:
            return
        yield from self._heads()
        if self._cell >= _ROW_LEAST and not self._tensor.vector:
            yield from self._along_rows()
        if self._tensor.name == self._description.head.output:
            if self._cell >= _CELL_LEAST:
                yield from self._in_cells()
        elif self._cell >= _COLUMN_LEAST:
            yield from self._along_columns()

    def _heads(self) -> Iterator[Label]:
        """The band's head, or the heads in it, below the band."""
        y = self._bottom + 2
        if not self._above:
            return
        if self._tensor.heads:
            yield Label(f"head {self._first_row // self._context}", self._left, y, SMALL)
            return
        attention = self._attention()
        if attention is None:
            return
        wide = attention.head_size * self._cell
        for column in range(0, self._band_columns, attention.head_size):
            part, inside = divmod(self._first_column + column, attention.columns)
            kind = "qkv"[part] if self._tensor.name == attention.qkv else "head"
            label = Label(f"{kind} {inside // attention.head_size}", self._left + column * self._cell, y, SMALL)
            if label.width + 4 <= wide:
                yield label

    def _attention(self) -> Attention | None:
        """The attention that reads or writes the tensor; None when there is none."""
        description, name = self._description, self._tensor.name
        operations = (description.outputs.get(output) for output in (name, *description.readers(name)))
        return next((operation for operation in operations if isinstance(operation, Attention)), None)

    def _along_rows(self) -> Iterator[Label]:
        for row in self._rows:
            text = self._row_text(self._first_row + row)
            if text is None:
                continue
            y = self._top + (row + 0.5) * self._cell - SMALL / 2
            x = self._left - len(text) * SMALL / 2 - 5
            yield Label(text, x, y, SMALL) if x >= 0 else Label(text, 2.0, y, SMALL, plate=True)

    def _along_columns(self) -> Iterator[Label]:
        fits = int((self._cell - 6) / (SMALL / 2))
        y = self._top - SMALL - 2 - (TENSOR + 2)
        clamped = y < 0
        for column in self._columns:
            text = self._column_text(self._first_column + column)
            if text is not None:
                x = self._left + (column + 0.5) * self._cell - min(len(text), fits) * SMALL / 4
                yield Label(text[:fits], x, max(y, 2.0), SMALL, plate=clamped)

    def _in_cells(self) -> Iterator[Label]:
        fits = int((self._cell - 6) / (SMALL / 2))
        for row in self._rows:
            for column in self._columns:
                token = self._first_column + column
                if token < self._registry.config.vocabulary:
                    text = self._words.vocabulary(token)
                    x, y = self._left + column * self._cell + 3, self._top + row * self._cell + 3
                    yield Label(text[:fits], x, y, SMALL)

    def _row_text(self, row: int) -> str | None:
        tensor = self._tensor
        if tensor.rows is None:
            row %= self._context
            return self._words.context(row) if row < self._registry.rows else None
        if tensor.name in self._description.token_tables:
            return self._words.vocabulary(row) if row < self._registry.config.vocabulary else None
        return str(row)

    def _column_text(self, column: int) -> str | None:
        if self._tensor.heads:
            return self._words.context(column) if column < self._registry.rows else None
        return str(column)
