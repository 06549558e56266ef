"""Drawn over the map: labels, outlines of values, the glow of new rows, the minimap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.map_state import GLOW, MapState
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from compute.models.tensor_index import TensorIndex
from compute.views.map_view import MapView

from .view_common import OUTLINE
from .widgets import packed

_PLATE = ImVec4(0.02, 0.03, 0.045, 0.85)
_MINIMAP = 11.0  # width in ems
_SEEN = 8.0  # minimum size, in pixels, of the rectangle in it that marks the visible part
_MOST_BOXES = 700  # of one kind, drawn in a frame
_GLOW_COLOR = ImVec4(1.0, 1.0, 1.0, 0.75)


@dataclass(frozen=True)
class Frame:
    """The picture on screen: its corner and size in logical pixels, and picture pixels per logical pixel."""

    left: int
    top: int
    width: int
    height: int
    ratio: float

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height in picture pixels."""
        return max(1, round(self.width * self.ratio)), max(1, round(self.height * self.ratio))

    def pixel(self, point: ImVec2) -> tuple[float, float]:
        """Picture pixel at a point of the screen."""
        return (point.x - self.left) * self.ratio, (point.y - self.top) * self.ratio

    def screen(self, x: float, y: float) -> ImVec2:
        """Point of the screen at a picture pixel."""
        return ImVec2(self.left + x / self.ratio, self.top + y / self.ratio)

    @staticmethod
    def scaled(view: MapView, scale: float) -> MapView:
        """`view` for pixels that are `scale` times as large."""
        return MapView(view.x, view.y, view.scale * scale)


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
    """Width of a character of a monospaced font, per font size."""
    size = 100.0
    imgui.push_font(font, size)
    wide: float = imgui.calc_text_size("0").x / size
    imgui.pop_font()
    return wide


def named_at(maps: MapState, frame: Frame, point: ImVec2) -> str:
    """The tensor or part of the model whose name is drawn at a point of the screen; empty for none."""
    zoom = theme.zoom()
    x, y = (point.x - frame.left) / zoom, (point.y - frame.top) / zoom
    for label in reversed(maps.labels[1]):  # the label drawn last is on top
        if label.of and label.x <= x <= label.x + label.width and label.y <= y <= label.y + label.size:
            return label.of
    return ""


def marks(state: State, frame: Frame) -> None:
    """The glow of new rows, and outlines of the tensor in focus, of pins and of the value under the cursor."""
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
    """Outline the rows that the latest pass has written; the glow fades."""
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


def minimap(maps: MapState, frame: Frame) -> None:
    """The whole map, small, in a corner, with the visible part marked; a click or a drag moves there."""
    layout = maps.layout
    if layout is None or maps.camera.pose.zoom < 1.05:
        return  # all of it is visible
    wide = min(theme.em(_MINIMAP), frame.width / 3)
    high = wide * layout.height / layout.width
    if high > frame.height / 2:
        return
    gap = theme.em(0.5)
    left, top = frame.left + frame.width - wide - gap, frame.top + frame.height - high - gap
    imgui.set_cursor_screen_pos(ImVec2(left, top))
    widget_tracking.invisible_button("minimap", ImVec2(wide, high))
    canvas, scale = imgui.get_window_draw_list(), wide / layout.width

    def screen(x: float, y: float) -> ImVec2:
        return ImVec2(left + min(max(x * scale, 0), wide), top + min(max(y * scale, 0), high))

    canvas.add_rect_filled(ImVec2(left, top), ImVec2(left + wide, top + high), packed(_PLATE))
    tensors = packed(theme.ON_PICTURE, 0.22)
    large = maps.tensors[(maps.tensors[:, 2:] * scale >= 1).all(axis=1)][:_MOST_BOXES]
    for x, y, width, height in large.tolist():
        canvas.add_rect_filled(screen(x, y), screen(x + width, y + height), tensors)
    view, (pixels_wide, pixels_high) = maps.view, maps.size
    start = screen(view.x, view.y)
    end = screen(view.x + pixels_wide * view.scale, view.y + pixels_high * view.scale)
    # The mark stays large enough to be found, however small the visible part is.
    wider, higher = (max(least - size, 0) / 2 for least, size in ((_SEEN, end.x - start.x), (_SEEN, end.y - start.y)))
    start, end = ImVec2(start.x - wider, start.y - higher), ImVec2(end.x + wider, end.y + higher)
    canvas.add_rect(start, end, packed(theme.PIN_ON_PICTURE), 0.0, max(1.0, theme.em(0.1)))
    canvas.add_rect(ImVec2(left, top), ImVec2(left + wide, top + high), packed(theme.ON_PICTURE, 0.5))
    if imgui.is_item_active():
        mouse = imgui.get_io().mouse_pos
        x, y = (mouse.x - left) / scale, (mouse.y - top) / scale
        maps.camera.look_at(maps.camera.pose.zoom, x, y, *maps.size)
