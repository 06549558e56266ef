"""Objects of your own on Map: anything that pygfx can draw. `examples/line_over_map.py` is a worked example."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from compute.views.map_layout import MapLayout

if TYPE_CHECKING:
    import pygfx as gfx

DrawOnMap = Callable[["gfx.Group", MapLayout], None]

_drawers: list[DrawOnMap] = []


def on_map(draw: DrawOnMap) -> DrawOnMap:
    """Call `draw(objects, layout)` whenever Map has been laid out; usable as a decorator.

    `objects` is an empty pygfx group that is drawn over the cells. Its coordinates are those of the plane: x to the
    right and y down, in cells; `layout.placements` says where each tensor is. Call this before the window opens.
    """
    _drawers.append(draw)
    return draw


def draw_on_map(objects: gfx.Group, layout: MapLayout) -> None:
    """Replace what `objects` contains by what the registered functions draw."""
    objects.clear()
    for draw in _drawers:
        draw(objects, layout)
