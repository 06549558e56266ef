"""Lines from a formula card to its sources in view, and arrows at the edge for those outside of it."""

from __future__ import annotations

import itertools

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.formula_card import Box
from atlas_viewer.state.roles import role_color, role_of, role_of_kind
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from compute.models.tensor_index import TensorIndex
from compute.views.formula import Formula, Source
from compute.views.formula_text import of

from .formula_view import View, go, visible
from .widgets import packed

_FLAGS = (
    imgui.WindowFlags_.no_decoration
    | imgui.WindowFlags_.always_auto_resize
    | imgui.WindowFlags_.no_move
    | imgui.WindowFlags_.no_docking
    | imgui.WindowFlags_.no_saved_settings
    | imgui.WindowFlags_.no_focus_on_appearing
    | imgui.WindowFlags_.no_nav
)
# Positions to try for an arrow, in its own sizes: the nearest first, and beside before above or below.
_STEPS = sorted(itertools.product(range(-3, 4), repeat=2), key=lambda step: step[0] ** 2 + 2 * step[1] ** 2)
_MARGIN = 0.4  # ems between an arrow and the edge of the picture


def draw(state: State, found: Formula, view: View, card: Box) -> bool:
    """Draw lines and arrows. True while the mouse is on an arrow. card: the card's edges."""
    held, taken = False, [card]
    cell = view.cell(found.element)
    if cell is not None and view.shows(cell):
        taken.append(cell)
        _line(view, card, cell, theme.ON_PICTURE)
    for number, source in enumerate(found.sources):
        boxes = list(visible(view, source))
        if boxes:
            _line(view, card, _nearest(boxes, card), _color(state, source.name))
        else:
            held = _arrow(state, found, source, number, view, card, taken) or held
    return held


def _line(view: View, card: Box, box: Box, color: ImVec4) -> None:
    """A thin line from the edge of the card to a box, in the visible part of the picture."""
    shown = (max(box[0], view.left), max(box[1], view.top), min(box[2], view.right), min(box[3], view.bottom))
    target = ImVec2(_clamp((card[0] + card[2]) / 2, shown[0], shown[2]), _clamp(card[1], shown[1], shown[3]))
    start = ImVec2(_clamp(target.x, card[0], card[2]), _clamp(target.y, card[1], card[3]))
    if start.x == target.x and start.y == target.y:
        return  # the card covers it
    canvas = imgui.get_foreground_draw_list()
    canvas.push_clip_rect(ImVec2(view.left, view.top), ImVec2(view.right, view.bottom), True)
    canvas.add_line(start, target, packed(theme.now.back_deep, 0.8), 3.0)
    canvas.add_line(start, target, packed(color), 1.2)
    canvas.add_circle_filled(target, theme.em(0.17), packed(color))
    canvas.pop_clip_rect()


def _arrow(state: State, found: Formula, source: Source, number: int, view: View, card: Box, taken: list[Box]) -> bool:
    """A button at the edge of the picture, on the way to a source outside of it. A click goes there."""
    boxes = view.source(source)
    center = ((card[0] + card[2]) / 2, (card[1] + card[3]) / 2)
    box = _nearest(boxes, card) if boxes else (center[0], view.bottom + 1, center[0], view.bottom + 1)
    target = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    text = f"{_pointer(target, view)} {of(source, found.element, whole=False)}"
    with theme.numbers():
        wide, high = imgui.calc_text_size(text).x + theme.em(0.8), theme.em(1.5)
    left, top = _free((wide, high), target, view, taken)
    taken.append((left, top, left + wide, top + high))
    imgui.set_next_window_pos(ImVec2(left, top))
    imgui.set_next_window_size(ImVec2(wide, high))
    imgui.push_style_var(imgui.StyleVar_.window_padding, ImVec2(0, 0))
    imgui.push_style_var(imgui.StyleVar_.window_border_size, 1.0)
    imgui.push_style_var(imgui.StyleVar_.window_min_size, ImVec2(1, 1))
    with (
        theme.colored(imgui.Col_.window_bg, theme.now.back_deep),
        theme.colored(imgui.Col_.border, _color(state, source.name)),
    ):
        imgui.begin(f"##formula source {number}", None, _FLAGS & ~imgui.WindowFlags_.always_auto_resize)
    imgui.internal.bring_window_to_display_front(imgui.internal.get_current_window())
    if widget_tracking.invisible_button(f"formula:source {number}", ImVec2(wide, high)):
        go(state, source.first)
    hovered = imgui.is_item_hovered()
    with theme.numbers():
        ink = theme.now.accent if hovered else theme.now.text
        y = top + (high - imgui.get_text_line_height()) / 2
        imgui.get_window_draw_list().add_text(ImVec2(left + theme.em(0.4), y), packed(ink), text)
    if hovered:
        imgui.set_mouse_cursor(imgui.MouseCursor_.hand)
        imgui.set_tooltip(f"Go to {TensorIndex(source.name, source.first.index)}")
    imgui.end()
    imgui.pop_style_var(3)
    return bool(hovered)


def _free(size: tuple[float, float], target: tuple[float, float], view: View, taken: list[Box]) -> tuple[float, float]:
    """The free corner at the edge of the picture that is nearest to the target, or else the nearest one."""
    margin = theme.em(_MARGIN)
    left, right = view.left + margin, view.right - size[0] - margin
    top, bottom = view.top + margin, view.bottom - size[1] - margin
    x, y = _clamp(target[0] - size[0] / 2, left, right), _clamp(target[1] - size[1] / 2, top, bottom)
    across, down = size[0] + margin, size[1] + margin
    corners = ((_clamp(x + dx * across, left, right), _clamp(y + dy * down, top, bottom)) for dx, dy in _STEPS)

    def free(corner: tuple[float, float]) -> bool:
        box = (*corner, corner[0] + size[0], corner[1] + size[1])
        return not any(_meets(box, other) for other in taken)

    return next(filter(free, corners), (x, y))


def _pointer(target: tuple[float, float], view: View) -> str:
    """The arrow that points from the picture to the target."""
    across = -1 if target[0] < view.left else 1 if target[0] >= view.right else 0
    down = -1 if target[1] < view.top else 1 if target[1] >= view.bottom else 0
    return {
        (-1, -1): "\u2196", (0, -1): "\u2191", (1, -1): "\u2197", (-1, 0): "\u2190", (0, 0): "\u2022",
        (1, 0): "\u2192", (-1, 1): "\u2199", (0, 1): "\u2193", (1, 1): "\u2198",
    }[across, down]  # fmt: skip


def _nearest(boxes: list[Box], card: Box) -> Box:
    x, y = (card[0] + card[2]) / 2, (card[1] + card[3]) / 2
    return min(boxes, key=lambda box: (_clamp(x, box[0], box[2]) - x) ** 2 + (_clamp(y, box[1], box[3]) - y) ** 2)


def _color(state: State, name: str) -> ImVec4:
    registry = state.map.registry
    if registry is not None and name in registry:
        return ImVec4(*role_color(role_of(registry[name]), state.ui.theme), 1.0)
    info = state.inspection.tensors.get(name)
    return ImVec4(*role_color(role_of_kind(info.kind if info else ""), state.ui.theme), 1.0)


def _meets(one: Box, other: Box) -> bool:
    return one[0] < other[2] and one[2] > other[0] and one[1] < other[3] and one[3] > other[1]


def _clamp(value: float, low: float, high: float) -> float:
    return max(min(value, high), low)
