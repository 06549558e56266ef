"""The labels drawn over the map."""

from __future__ import annotations

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.map_state import MapState
from atlas_viewer.ui import theme

from .map_frame import Frame
from .widgets import packed

_PLATE = ImVec4(0.02, 0.03, 0.045, 0.85)


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
