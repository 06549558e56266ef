"""The shapes over and between the tensors of Map: frames, flow, highlights, the glow of new rows, and the minimap."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from atlas_viewer.state.map_addresses import box_of, range_boxes
from atlas_viewer.state.map_flow import Flow, flow_of, visible_share
from atlas_viewer.state.map_logits import LIKELIEST, SEEN, likeliest
from atlas_viewer.state.map_state import GLOW, MapState
from atlas_viewer.state.roles import Role, role_color, role_of, stream_color
from atlas_viewer.state.state import State
from compute.models.tensor_index import TensorIndex
from compute.views.map_layout import MapLayout
from compute.views.palettes import CANVASES, Rgb

from .formula_shapes import add_sources, shown_element
from .shape_list import ShapeList
from .spotlight_shapes import add_spotlight

_SOURCES: Rgb = (0.35, 0.9, 0.45)  # the outline of the weights behind a value
_MARK = 5.0  # minimum size of a marked cell, relative to the width of a line
_FRAMED = 3.0  # pixels: a tensor that is smaller, both across and down, has no frame
_ZOOMS, _SHARES = 4, 16  # steps per octave in which frames appear, and in which the flow fades
_GLOW_STEPS = 4  # as often is a glow drawn while it fades; few, because each is another picture of the scene
_MOST_BOXES = 700  # drawn of one kind
_OVER_DATA = 0.6  # opacity of the minimap where it covers data, which shows through
_MINIMAP_SEEN = 8.0  # minimum size of the rectangle that marks the visible part, in pixels
_GLOW: Rgb = (1.0, 1.0, 1.0)


class MapShapes:
    """Builds the shapes for the current state. What depends only on the layout is kept until it changes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._layout: MapLayout | None = None
        self._flow = Flow((), (), (), (), ())
        self._boxes: dict[Role, np.ndarray] = {}  # of every tensor, [n, 4]
        self._frames: tuple[object, ShapeList] = (None, ShapeList())  # of all tensors, and what they depend on

    @property
    def key(self) -> tuple[object, ...]:
        """Changes when the shapes do, apart from the layout and the view."""
        inspection, maps, ui = self._state.inspection, self._state.map, self._state.ui
        glow = 0 if maps.changed_ago >= GLOW else 1 + int(_GLOW_STEPS * maps.changed_ago / GLOW)
        pins = tuple(pin.element for pin in inspection.pins)
        return (
            inspection.focus, inspection.cursor, pins, maps.sources, maps.changed, glow, maps.minimap,
            maps.minimap_over, maps.line, ui.flow, ui.theme, likeliest(self._state.step), shown_element(self._state),
            maps.spotlight.key,
        )  # fmt: skip

    @property
    def behind_key(self) -> tuple[object, ...]:
        """Changes when what `behind` returns does: not with every move of the camera."""
        maps, ui = self._state.map, self._state.ui
        return maps.layout, self._share, maps.line, ui.theme

    @property
    def _share(self) -> float:
        """How visible the flow is, in steps."""
        share = visible_share(self._state.map.cell) if self._state.ui.flow else 0.0
        return math.ceil(_SHARES * share) / _SHARES

    def behind(self) -> tuple[np.ndarray, np.ndarray]:
        """What shows in the gaps between tensors, as `Shapes.set` takes it."""
        shapes, maps = ShapeList(), self._state.map
        self._follow(maps)
        if self._share:
            self._add_flow(shapes, self._share)
        return shapes.arrays()

    def front(self) -> tuple[np.ndarray, np.ndarray]:
        """What lies over the tensors, as `Shapes.set` takes it."""
        shapes, maps = ShapeList(), self._state.map
        self._follow(maps)
        self._add_frames(shapes)
        self._add_glow(shapes)
        self._add_likeliest(shapes)
        add_spotlight(shapes, maps.spotlight, maps.line, maps.view.scale, self._state.ui.theme)
        add_sources(shapes, self._state)
        add_spotlight(shapes, maps.spotlight, maps.line, maps.view.scale, self._state.ui.theme)
        self._add_marks(shapes)
        if maps.minimap is not None:
            self._add_minimap(shapes, maps, maps.minimap)
        return shapes.arrays()

    def _follow(self, maps: MapState) -> None:
        """Take up a new layout."""
        if maps.layout is self._layout or maps.layout is None or maps.registry is None:
            return
        self._layout = maps.layout
        self._flow = flow_of(maps.registry.description, maps.layout)
        boxes: dict[Role, list[tuple[int, int, int, int]]] = {}
        for tensor in maps.registry:
            placement = maps.layout.placements.get(tensor.name)
            if placement is not None:
                box = (placement.x, placement.y, placement.width, placement.height)
                boxes.setdefault(role_of(tensor), []).append(box)
        self._boxes = {role: np.array(found, np.float64) for role, found in boxes.items()}

    def _add_frames(self, shapes: ShapeList) -> None:
        """Outline every tensor in the color of its role, except small ones. They are kept until the zoom changes."""
        maps, theme = self._state.map, self._state.ui.theme
        least = _FRAMED * 2 ** (math.floor(_ZOOMS * math.log2(maps.view.scale)) / _ZOOMS)
        key = (maps.layout, least, maps.line, theme)
        if self._frames[0] != key:
            frames = ShapeList()
            for role, boxes in self._boxes.items():
                large = boxes[(boxes[:, 2:] >= least).any(axis=1)]
                frames.outlines(large, maps.line, role_color(role, theme), 0.9)
            self._frames = key, frames
        shapes.extend(self._frames[1])

    def _add_flow(self, shapes: ShapeList, share: float) -> None:
        flow, theme, line = self._flow, self._state.ui.theme, self._state.map.line
        activation, stream = role_color(Role.ACTIVATION, theme), stream_color(theme)
        for ribbon in flow.ribbons:
            shapes.polygon(ribbon, activation, 0.22 * share)
        shapes.boxes(np.array(flow.links).reshape(-1, 4), activation, 0.5 * share, line / 2)
        shapes.boxes(np.array(flow.stream).reshape(-1, 4), stream, 0.8 * share, line / 2)
        for tip in flow.tips:
            shapes.polygon(tip, stream, 0.8 * share)
        arm = 2.5 * line
        shapes.on_screen(flow.sums, [(-arm - line, -arm - line, 2 * (arm + line), 2 * (arm + line))], stream, share)
        bars = [(-arm, -line / 2, 2 * arm, line), (-line / 2, -arm, line, 2 * arm)]
        shapes.on_screen(flow.sums, bars, CANVASES[theme].ground, share)

    def _add_glow(self, shapes: ShapeList) -> None:
        """Outline the rows that the latest pass has written; the glow fades over time."""
        maps = self._state.map
        first, end = maps.changed
        if maps.changed_ago >= GLOW or end <= first or maps.layout is None:
            return
        rows = maps.first_rows * (1, 1, 1, end - first) + np.array([0, 1, 0, 0]) * maps.first_rows[:, 3:] * first
        seen = _visible(rows, maps)[:_MOST_BOXES]
        high = seen[:, 3] / maps.view.scale
        alpha = 0.75 * (1 - maps.changed_ago / GLOW)
        shapes.boxes(seen[high < 4 * maps.line], _GLOW, alpha)
        shapes.outlines(seen[high >= 4 * maps.line], maps.line, _GLOW, alpha)

    def _add_likeliest(self, shapes: ShapeList) -> None:
        """Outline the logits of the likeliest next tokens, where the logits are large enough."""
        maps, tokens = self._state.map, likeliest(self._state.step)
        if maps.layout is None or maps.registry is None or not tokens:
            return
        placement = maps.layout.placements[maps.registry.description.head.output]
        if placement.width / maps.view.scale < SEEN:
            return
        corners = [placement.cell_of(0, token) for token in tokens if token < placement.columns]
        cells = np.array([(*corner, placement.cell_width, placement.cell_height) for corner in corners], np.float64)
        line = maps.line
        least = _MARK * line if placement.cell_width / maps.view.scale < _MARK * line else 0.0
        for width, color in ((2.5 * line, (0.0, 0.0, 0.0)), (1.5 * line, LIKELIEST)):
            shapes.outlines(cells.reshape(-1, 4), width, color, 1.0, least)

    def _add_marks(self, shapes: ShapeList) -> None:
        """Outline the tensor in focus, the pinned values and the value under the cursor."""
        state, maps = self._state, self._state.map
        focus = state.inspection.focus
        placement = maps.layout.placements.get(focus.name) if maps.layout and focus else None
        if placement is not None and focus is not None and maps.registry is not None:
            box = np.array([(placement.x, placement.y, placement.width, placement.height)], np.float64)
            color = role_color(role_of(maps.registry[focus.name]), state.ui.theme)
            shapes.outlines(box, 2.5 * maps.line, color, 1.0)
        if maps.sources is not None and maps.layout is not None:
            sources = np.array(range_boxes(maps.sources, maps.layout), np.float64).reshape(-1, 4)
            shapes.outlines(sources, 2 * maps.line, _SOURCES, 1.0)
        for element, color in self._marked():
            target = state.inspection.single(element)
            if maps.layout is not None and maps.has(target):
                cell = np.array([box_of(target, maps.layout)], np.float64)
                small = cell[0, 2:].max() / maps.view.scale < _MARK * maps.line
                least = _MARK * maps.line if small else 0.0
                shapes.outlines(cell, 2 * maps.line, color, 1.0, least)

    def _marked(self) -> Iterator[tuple[TensorIndex, Rgb]]:
        inspection = self._state.inspection
        for pin in inspection.pins:
            yield pin.element, (1.0, 0.45, 0.75)
        if inspection.cursor is not None:
            yield inspection.cursor, (1.0, 1.0, 1.0)

    def _add_minimap(self, shapes: ShapeList, maps: MapState, box: tuple[float, float, float, float]) -> None:
        """The whole map, small, with the visible part marked. box: its x, y, width and height in the picture."""
        layout, view = maps.layout, maps.view
        assert layout is not None
        left, top, wide, high = box
        scale, corner, line = wide / layout.width, [(view.x, view.y)], maps.line
        theme = self._state.ui.theme
        ground, ink = CANVASES[theme].ground, stream_color(theme)
        shapes.on_screen(corner, [box], ground, _OVER_DATA if maps.minimap_over else 0.92)
        edge = left - line, top - line, left + wide + line, top + high + line
        shapes.on_screen(corner, list(_sides(*edge, line)), ink, 0.6)
        for role, boxes in self._boxes.items():
            large = boxes[(boxes[:, 2:] * scale >= 1).any(axis=1)][:_MOST_BOXES] * scale
            placed = large + np.array([left, top, 0, 0])
            placed[:, 2:] = np.maximum(placed[:, 2:], 1)
            shapes.on_screen(corner, placed, role_color(role, theme), 0.55)
        shapes.on_screen(corner, list(_marked_part(maps, box, scale)), ink, 1.0)


def _marked_part(maps: MapState, box: tuple[float, float, float, float], scale: float) -> Iterator[tuple[float, ...]]:
    """The four sides of the rectangle that marks the visible part in the minimap."""
    left, top, wide, high = box
    view, line = maps.view, maps.line
    x0, x1 = (min(max(v * scale, 0), wide) for v in (view.x, view.x + maps.size[0] * view.scale))
    y0, y1 = (min(max(v * scale, 0), high) for v in (view.y, view.y + maps.size[1] * view.scale))
    # The mark stays large enough to find, however small the visible part is.
    wider, higher = max(_MINIMAP_SEEN - (x1 - x0), 0) / 2, max(_MINIMAP_SEEN - (y1 - y0), 0) / 2
    x0, x1, y0, y1 = left + x0 - wider, left + x1 + wider, top + y0 - higher, top + y1 + higher
    yield from _sides(x0, y0, x1, y1, line)


def _sides(x0: float, y0: float, x1: float, y1: float, line: float) -> Iterator[tuple[float, float, float, float]]:
    """The four sides of a rectangle as boxes, `line` wide."""
    yield x0, y0, x1 - x0, line
    yield x0, y1 - line, x1 - x0, line
    yield x0, y0, line, y1 - y0
    yield x1 - line, y0, line, y1 - y0


def _visible(boxes: np.ndarray, maps: MapState) -> np.ndarray:
    """Those of the boxes that the view shows."""
    view, (wide, high) = maps.view, maps.size
    low = (boxes[:, :2] - (view.x, view.y)) / view.scale
    size = boxes[:, 2:] / view.scale
    return boxes[((low + size > 0) & (low < (wide, high))).all(axis=1)]
