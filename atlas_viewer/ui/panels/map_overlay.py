"""The labels drawn over the map, and its rulers."""

from __future__ import annotations

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.label_space import Label
from atlas_viewer.state.map_logits import LIKELIEST
from atlas_viewer.state.map_state import MapState
from atlas_viewer.state.roles import role_ink
from atlas_viewer.ui import theme
from compute.views.palettes import CANVASES

from .map_frame import Frame
from .view_common import letter_width
from .widgets import packed

_LINE = 0.8  # opacity of a line from a label to what it names
_PLATE = 0.9  # opacity of the plate under a label, which covers the flow between tensors


def labels(maps: MapState, frame: Frame, theme_name: str) -> None:
    """Draw the labels; a name under the mouse is highlighted, because a click on it shows that tensor or block."""
    canvas, zoom = imgui.get_window_draw_list(), theme.zoom()
    loaded = imgui.get_io().fonts.fonts
    font = loaded[1] if len(loaded) > 1 else loaded[0]
    ground = ImVec4(*CANVASES[theme_name].ground, 1.0)
    ink, lit = packed(theme.now.text), packed(theme.now.accent)
    hovered = named_at(maps, frame, imgui.get_io().mouse_pos) if imgui.is_item_hovered() else ""
    if hovered:
        imgui.set_mouse_cursor(imgui.MouseCursor_.hand)
    found = maps.labels.made
    for ruler in found.rulers:
        low = ImVec2(frame.left + ruler.x * zoom, frame.top + ruler.y * zoom)
        canvas.add_rect_filled(low, ImVec2(low.x + ruler.width * zoom, low.y + ruler.height * zoom), packed(ground))
    sizes: dict[int, float] = {}
    hidden = _minimap(maps, frame, zoom)
    for label in found.labels:
        if hidden is not None and _overlaps(label, hidden):
            continue
        corner = ImVec2(frame.left + label.x * zoom, frame.top + label.y * zoom)
        high = ImVec2(corner.x + label.width * zoom, corner.y + label.size * zoom)
        canvas.add_rect_filled(corner, high, packed(ground, _PLATE))
        color = ink if label.role is None else packed(ImVec4(*role_ink(label.role, theme_name), 1.0))
        if label.of and label.of == hovered:
            color = lit
        if label.size not in sizes:
            sizes[label.size] = _drawn(font, label.size * zoom)
        canvas.add_text(font, sizes[label.size], corner, color, label.text)
        if label.to is not None:
            end = ImVec2(frame.left + label.to[0] * zoom, frame.top + label.to[1] * zoom)
            start = ImVec2(corner.x - 2 if end.x < corner.x else high.x + 2, (corner.y + high.y) / 2)
            canvas.add_line(start, end, packed(ImVec4(*LIKELIEST, _LINE)))


def _drawn(font: imgui.ImFont, size: float) -> float:
    """The size of letters, at most `size` pixels, that are no wider than half of it, as labels are laid out."""
    wide = letter_width(font, size)
    return size if wide <= size / 2 else size * size / 2 / wide


def _minimap(maps: MapState, frame: Frame, zoom: float) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of the minimap in the units of labels; None while there is none."""
    if maps.minimap is None:
        return None
    x, y, width, height = (size / (frame.ratio * zoom) for size in maps.minimap)
    return x, y, x + width, y + height


def _overlaps(label: Label, box: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = box
    return label.x < right and label.x + label.width > left and label.y < bottom and label.y + label.size > top


def named_at(maps: MapState, frame: Frame, point: ImVec2) -> str:
    """The tensor or part of the model whose name is drawn at a point on the screen; empty if there is none."""
    zoom = theme.zoom()
    x, y = (point.x - frame.left) / zoom, (point.y - frame.top) / zoom
    for label in reversed(maps.labels.made.labels):  # the label drawn last is on top
        if label.of and label.x <= x <= label.x + label.width and label.y <= y <= label.y + label.size:
            return label.of
    return ""
