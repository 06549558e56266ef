"""Everything drawn over the map: labels, outlines of values, the glow of new rows."""

from __future__ import annotations

from collections.abc import Iterator

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.map_state import GLOW, MapState
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme
from compute.models.tensor_index import TensorIndex

from .map_frame import Frame
from .view_common import OUTLINE
from .widgets import packed

_PLATE = ImVec4(0.02, 0.03, 0.045, 0.85)
_MOST_BOXES = 700  # maximum number of one kind, drawn in a frame
_GLOW_COLOR = ImVec4(1.0, 1.0, 1.0, 0.75)


def labels(maps: MapState, frame: Frame) -> None:
    """Draw the labels; a name under the mouse is highlighted, because a click on it shows that tensor or block."""
    canvas, zoom = imgui.get_window_draw_list(), theme.zoom()
    loaded = imgui.get_io().fonts.fonts
    font = loaded[1] if len(loaded) > 1 else loaded[0]
    letter = _letter(font)
    ink, lit = packed(theme.ON_PICTURE), packed(theme.PIN_ON_PICTURE)
    plates = packed(_PLATE), packed(_PLATE, 1 / _PLATE.w)
    hovered = named_at(maps, frame, imgui.get_io().mouse_pos) if imgui.is_item_hovered() else ""
    if hovered:
        imgui.set_mouse_cursor(imgui.MouseCursor_.hand)
    for label in sorted(maps.labels[1], key=lambda label: bool(label.of)):  # names are drawn over the others
        corner = ImVec2(frame.left + label.x * zoom, frame.top + label.y * zoom)
        if label.plate:
            low = ImVec2(corner.x - 2 * zoom, corner.y - zoom)
            wide = len(label.text) * letter * label.size
            high = ImVec2(corner.x + (wide + 2) * zoom, corner.y + label.size * zoom)
            canvas.add_rect_filled(low, high, plates[bool(label.of)])
        canvas.add_text(font, label.size * zoom, corner, lit if label.of and label.of == hovered else ink, label.text)


def _letter(font: imgui.ImFont) -> float:
    """Width of a monospaced character, as a fraction of the font size."""
    size = 100.0
    imgui.push_font(font, size)
    wide: float = imgui.calc_text_size("0").x / size
    imgui.pop_font()
    return wide


def named_at(maps: MapState, frame: Frame, point: ImVec2) -> str:
    """The tensor or part of the model whose name is drawn at a point on the screen; empty if there is none."""
    zoom = theme.zoom()
    x, y = (point.x - frame.left) / zoom, (point.y - frame.top) / zoom
    for label in reversed(maps.labels[1]):  # the label drawn last is on top
        if label.of and label.x <= x <= label.x + label.width and label.y <= y <= label.y + label.size:
            return label.of
    return ""


def marks(state: State, frame: Frame) -> None:
    """Draw the glow of new rows, and outlines of the tensor in focus, of pins and of the value under the cursor."""
    _glow(state.map, frame)
    inspection, maps = state.inspection, state.map
    canvas, view = imgui.get_window_draw_list(), maps.view
    focus = inspection.focus
    box = maps.layout.placements.get(focus.name) if maps.layout and focus else None
    if box is not None:
        start = frame.screen(*view.pixel_at(box.x, box.y))
        end = frame.screen(*view.pixel_at(box.x + box.width, box.y + box.height))
        line = packed(theme.ON_PICTURE, 0.45)
        canvas.add_rect(ImVec2(start.x - 1, start.y - 1), ImVec2(end.x + 1, end.y + 1), line)
    for element, color in _marked(state):
        cell = maps.cell_of(inspection.single(element))
        if cell is None:
            continue
        middle = frame.screen(*view.pixel_at(cell[0] + 0.5, cell[1] + 0.5))
        half = max(maps.cell / frame.ratio, theme.em(OUTLINE)) / 2 + 1
        low, high = ImVec2(middle.x - half, middle.y - half), ImVec2(middle.x + half, middle.y + half)
        canvas.add_rect(low, high, packed(color), 0.0, max(1.0, theme.em(0.1)))


def _marked(state: State) -> Iterator[tuple[TensorIndex, ImVec4]]:
    inspection = state.inspection
    for pin in inspection.pins:
        yield pin.element, theme.PIN_ON_PICTURE
    if inspection.cursor is not None:
        yield inspection.cursor, theme.ON_PICTURE


def _glow(maps: MapState, frame: Frame) -> None:
    """Outline the rows that the latest pass has written; the glow fades over time."""
    first, end = maps.changed
    if maps.changed_ago >= GLOW or end <= first or maps.layout is None:
        return
    view = maps.view
    low = (maps.first_rows[:, :2] + (0, first) - (view.x, view.y)) / view.scale
    size = maps.first_rows[:, 2:] * (1, end - first) / view.scale
    seen = ((low + size > 0) & (low < maps.size)).all(axis=1)
    color = packed(_GLOW_COLOR, 1 - maps.changed_ago / GLOW)
    canvas = imgui.get_window_draw_list()
    for (x, y), (wide, high) in zip(low[seen][:_MOST_BOXES].tolist(), size[seen][:_MOST_BOXES].tolist(), strict=True):
        start, end_ = frame.screen(x, y), frame.screen(x + wide, y + max(high, 1.0))
        if high / frame.ratio < theme.em(0.3):
            canvas.add_rect_filled(start, end_, color)
        else:
            canvas.add_rect(start, end_, color, 0.0, max(1.0, theme.em(0.12)))
