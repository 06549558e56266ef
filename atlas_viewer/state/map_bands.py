"""What of Map is visible in a picture: the bands of tensors, in pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from compute.models.operations import Attention
from compute.models.registry import Registry, Tensor
from compute.views.map_layout import MapLayout
from compute.views.map_placement import Placement
from compute.views.map_view import MapView

from .roles import Role, role_of


@dataclass(frozen=True)
class Words:
    """Token texts: by row of the context (None when unknown), and by number in the vocabulary.

    likeliest: the next tokens to mark among the logits, likeliest first.
    """

    context: Callable[[int], str | None]
    vocabulary: Callable[[int], str]
    likeliest: tuple[int, ...] = ()


@dataclass(frozen=True)
class Band:
    """A visible band of a tensor. Sizes are in pixels of the picture."""

    tensor: Tensor
    placement: Placement
    number: int  # of the band
    left: float
    top: float
    right: float
    bottom: float
    attention: Attention | None  # that reads or writes the tensor

    @property
    def cell_width(self) -> float:
        """Width of a cell."""
        return (self.right - self.left) / self.columns

    @property
    def cell_height(self) -> float:
        """Height of a cell."""
        return (self.bottom - self.top) / self.rows

    @property
    def first_row(self) -> int:
        """Row of the tensor that the band begins with."""
        return self.number // self.placement.over * self.placement.band_rows

    @property
    def first_column(self) -> int:
        """Column of the tensor that the band begins with."""
        return self.number % self.placement.over * self.placement.band_columns

    @property
    def rows(self) -> int:
        """Rows of the band; of the logits, the lines into which they are folded."""
        if self.tensor.is_logits:
            return self.placement.lines
        return min(self.placement.band_rows, self.placement.rows - self.first_row)

    @property
    def columns(self) -> int:
        """Columns of the band."""
        return min(self.placement.band_columns, self.placement.columns - self.first_column)

    @property
    def role(self) -> Role:
        """The role of the tensor."""
        return role_of(self.tensor)


class _BandTable:
    """The bands of all tensors of a layout, in the order of the registry, and their boxes on the plane."""

    def __init__(self, registry: Registry, layout: MapLayout) -> None:
        description = registry.description
        self.registry, self.layout = registry, layout
        self._bands: list[tuple[Tensor, Placement, int, Attention | None]] = []
        boxes = []
        for name, placement in layout.placements.items():
            operations = (description.outputs.get(output) for output in (name, *description.readers(name)))
            attention = next((operation for operation in operations if isinstance(operation, Attention)), None)
            whole = name == description.head.output  # one row in lines without gaps: a single box
            for number in range(1 if whole else placement.bands):
                self._bands.append((registry[name], placement, number, attention))
                sides = (placement.x, placement.y, placement.width, placement.height)
                boxes.append(sides if whole else placement.band_box(number))
        found = np.array(boxes, np.float64).reshape(-1, 4)
        self._low, self._high = found[:, :2], found[:, :2] + found[:, 2:]

    def visible(self, view: MapView, width: int, height: int) -> list[Band]:
        """The bands that a picture of width x height pixels shows a part of."""
        corner = np.array([view.x, view.y])
        low, high = (self._low - corner) / view.scale, (self._high - corner) / view.scale
        inside = ((low < (width, height)) & (high > 0)).all(axis=1)
        found = []
        for index in np.flatnonzero(inside).tolist():
            tensor, placement, number, attention = self._bands[index]
            (left, top), (right, bottom) = low[index].tolist(), high[index].tolist()
            found.append(Band(tensor, placement, number, left, top, right, bottom, attention))
        return found


@dataclass
class Visible:
    """A picture of Map and what is visible in it."""

    registry: Registry
    layout: MapLayout
    view: MapView
    width: int
    height: int
    words: Words
    bands: list[Band] = field(init=False)

    def __post_init__(self) -> None:
        self.bands = _table(self.registry, self.layout).visible(self.view, self.width, self.height)

    def pixels(self, units: float) -> float:
        """Pixels for a length on the plane."""
        return units / self.view.scale


_latest: list[_BandTable] = []  # at most one


def _table(registry: Registry, layout: MapLayout) -> _BandTable:
    """The table of a layout. The latest one is kept, because every frame of a pan needs it."""
    if not _latest or _latest[0].registry is not registry or _latest[0].layout is not layout:
        _latest[:] = [_BandTable(registry, layout)]
    return _latest[0]


def band_boxes(registry: Registry, layout: MapLayout) -> list[tuple[float, float, float, float]]:
    """The x, y, width and height of every band of every tensor, in units."""
    found: list[tuple[float, float, float, float]] = []
    for name, placement in layout.placements.items():
        if registry[name].is_logits:  # lines without gaps
            found.append((placement.x, placement.y, placement.width, placement.height))
        else:
            found.extend(placement.band_box(number) for number in range(placement.bands))
    return found
