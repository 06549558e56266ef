"""What of Map is visible in a picture: the bands of tensors, in pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from compute.models.operations import Attention
from compute.models.registry import Registry, Tensor
from compute.views.map_layout import MapLayout
from compute.views.map_placement import Placement
from compute.views.map_view import MapView

from .roles import Role, role_of


@dataclass(frozen=True)
class Words:
    """Token texts: by row of the context (None when unknown), and by number in the vocabulary."""

    context: Callable[[int], str | None]
    vocabulary: Callable[[int], str]


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
        """Rows of the band."""
        return min(self.placement.band_rows, self.placement.rows - self.first_row)

    @property
    def columns(self) -> int:
        """Columns of the band."""
        return min(self.placement.band_columns, self.placement.columns - self.first_column)

    @property
    def role(self) -> Role:
        """The role of the tensor."""
        return role_of(self.tensor)


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
        self.bands = _visible_bands(self)

    def pixels(self, units: float) -> float:
        """Pixels for a length on the plane."""
        return units / self.view.scale


def _visible_bands(shown: Visible) -> list[Band]:
    """The bands that the picture shows a part of, in the order of the registry."""
    view, layout, found = shown.view, shown.layout, []
    description = shown.registry.description
    for name, placement in layout.placements.items():
        left, top = view.pixel_at(placement.x, placement.y)
        if left > shown.width or top > shown.height:
            continue
        if left + shown.pixels(placement.width) < 0 or top + shown.pixels(placement.height) < 0:
            continue
        tensor = shown.registry[name]
        operations = (description.outputs.get(output) for output in (name, *description.readers(name)))
        attention = next((operation for operation in operations if isinstance(operation, Attention)), None)
        if name == description.head.output:  # one row in lines without gaps: a single box
            right, bottom = left + shown.pixels(placement.width), top + shown.pixels(placement.height)
            found.append(Band(tensor, placement, 0, left, top, right, bottom, attention))
            continue
        for number in range(placement.bands):
            x, y, wide, high = placement.band_box(number)
            left, top = view.pixel_at(x, y)
            right, bottom = left + shown.pixels(wide), top + shown.pixels(high)
            if left < shown.width and top < shown.height and right > 0 and bottom > 0:
                found.append(Band(tensor, placement, number, left, top, right, bottom, attention))
    return found
