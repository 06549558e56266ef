"""Outlines on Map around an explained element and everything that it was computed from."""

from __future__ import annotations

import numpy as np

from atlas_viewer.state.formula_card import source_boxes
from atlas_viewer.state.map_addresses import box_of
from atlas_viewer.state.roles import role_color, role_of
from atlas_viewer.state.state import State
from compute.models.tensor_index import TensorIndex
from compute.views.palettes import CANVASES, Rgb

from .shape_list import ShapeList

_ELEMENT: Rgb = (1.0, 1.0, 1.0)
_LEAST = 6.0  # smallest outline around a single element, relative to the width of a line


def shown_element(state: State) -> TensorIndex | None:
    """The element whose formula is shown."""
    return None if state.formula.shown is None else state.formula.shown.element


def add_sources(shapes: ShapeList, state: State) -> None:
    """Outline the element whose formula is shown, and its sources in the colors of their roles."""
    found, maps = state.formula.shown, state.map
    if found is None or maps.layout is None or maps.registry is None:
        return
    ground = CANVASES[state.ui.theme].ground
    for source in found.sources:
        if source.name in maps.registry:
            boxes = np.array(source_boxes(source, maps.layout), np.float64).reshape(-1, 4)
            color = role_color(role_of(maps.registry[source.name]), state.ui.theme)
            least = _LEAST * maps.line if source.count == 1 and _small(boxes, maps.view.scale, maps.line) else 0.0
            # A line in the color of the ground separates the outline from cells of any color.
            shapes.outlines(boxes, 4 * maps.line, ground, 0.9, least)
            shapes.outlines(boxes, 2.5 * maps.line, color, 1.0, least)
    if maps.has(found.element):
        cell = np.array([box_of(found.element, maps.layout)], np.float64)
        least = _LEAST * maps.line if _small(cell, maps.view.scale, maps.line) else 0.0
        shapes.outlines(cell, 2 * maps.line, _ELEMENT, 1.0, least)


def _small(boxes: np.ndarray, scale: float, line: float) -> bool:
    """True when the boxes are too small on screen to be seen."""
    return bool(boxes.size and boxes[:, 2:].max() / scale < _LEAST * line)
