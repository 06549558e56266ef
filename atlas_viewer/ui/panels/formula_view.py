"""Where elements and sources are on the screen, in the view in front."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from imgui_bundle import imgui

from atlas_viewer.state import navigation
from atlas_viewer.state.formula_card import Box, source_boxes
from atlas_viewer.state.map_addresses import box_of
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from compute.models.tensor_index import TensorIndex
from compute.views.formula import Source


@dataclass(frozen=True)
class View:
    """The picture of Strip or Map; its edges are in logical pixels of the screen."""

    state: State
    map: bool
    left: float
    top: float
    right: float
    bottom: float

    @property
    def box(self) -> Box:
        """Its edges."""
        return (self.left, self.top, self.right, self.bottom)

    @property
    def width(self) -> float:
        """Its width."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Its height."""
        return self.bottom - self.top

    def cell(self, element: TensorIndex) -> Box | None:
        """The edges of an element's cell; None when the view does not show its tensor."""
        if not self.map:
            return self._strip_cell(element)
        maps = self.state.map
        if maps.layout is None or not maps.has(element):
            return None
        return self._on_screen(box_of(element, maps.layout))

    def source(self, source: Source) -> list[Box]:
        """The edges of everything that a source consists of: of each row on Map, of each end on Strip."""
        if self.map:
            layout = self.state.map.layout
            return [] if layout is None else [self._on_screen(box) for box in source_boxes(source, layout)]
        last = TensorIndex(source.name, tuple(end - 1 for _, end in source.ranges))
        return [cell for cell in (self._strip_cell(source.first), self._strip_cell(last)) if cell is not None]

    def shows(self, box: Box) -> bool:
        """True when part of the box is visible."""
        return box[0] < self.right and box[2] > self.left and box[1] < self.bottom and box[3] > self.top

    def _on_screen(self, box: tuple[int, int, int, int]) -> Box:
        view, ratio = self.state.map.view, imgui.get_io().display_framebuffer_scale.x
        x, y = view.pixel_at(box[0], box[1])
        scale = view.scale * ratio
        left, top = self.left + x / ratio, self.top + y / ratio
        return (left, top, left + box[2] / scale, top + box[3] / scale)

    def _strip_cell(self, element: TensorIndex) -> Box | None:
        strip = self.state.strip
        cell = self.state.inspection.cell_of(element)
        found = None if cell is None else strip.sheet.position_of(cell)
        if found is None:
            return None
        view = strip.camera.view
        pixels = self.width / view.width
        left, top = self.left + (found[0] - view.x) * pixels, self.top + (found[1] - view.y) * pixels
        return (left, top, left + pixels, top + pixels)


def view_of(state: State) -> View | None:
    """The view in front; None when its picture is not on the screen."""
    on_map = navigation.on_map(state)
    rect = widget_tracking.rects.get("map" if on_map else "picture")
    if rect is None or (on_map and state.map.layout is None):
        return None
    return View(state, on_map, rect.left, rect.top, rect.right, rect.bottom)


def visible(view: View, source: Source) -> Iterator[Box]:
    """The visible parts of a source."""
    return (box for box in view.source(source) if view.shows(box))


def go(state: State, target: TensorIndex) -> None:
    """Go to an element: on Map, or on Strip when that is in front and shows its tensor."""
    info = state.inspection.tensors.get(target.name)
    if navigation.on_map(state) or info is None or info.span is None:
        navigation.fly(state, target, time.perf_counter())
    else:
        navigation.show(state, target)
