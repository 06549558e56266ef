"""The wall of the Attention panel: every head of every layer as a small triangle."""

from __future__ import annotations

from dataclasses import replace

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.attention_layout import WallBox
from atlas_viewer.state.attention_view import AttentionView
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from compute.views.attention_wall import WallPicture

from . import edit_marks
from .attention_letters import SMALL, small_text, small_width
from .widgets import packed

_BUTTON = "attention wall"


def draw(state: State, box: WallBox, corner: ImVec2, picture: imgui.ImTextureRef | None) -> None:
    """Draw the wall, and choose the head that is clicked. corner: of the panel, on the screen."""
    view, canvas = state.attention, imgui.get_window_draw_list()
    positions = _positions(view, box)
    ratio = imgui.get_io().display_framebuffer_scale.x
    size = [round(part * ratio) for part in (box.width, box.height, box.pitch_x, box.pitch_y, box.side)]
    view.wall_picture = WallPicture(size[0], size[1], box.columns, size[2], size[3], size[4], positions)
    start = ImVec2(int(corner.x) + box.x, int(corner.y) + box.y)
    end = ImVec2(start.x + box.width, start.y + box.height)
    imgui.set_cursor_screen_pos(start)
    widget_tracking.invisible_button(_BUTTON, ImVec2(box.width, box.height))
    hovered = _mouse(view, box, start, positions)
    if hovered is not None:
        layer, number = view.heads[hovered]
        state.hovered = replace(state.selected, layer=layer, head=number, element=None, neuron=None)
    if picture is not None:
        canvas.add_image(picture, start, end)
    _labels(view, box, start, positions)
    for layer, number in sorted(edit_marks.heads(state)):
        head = view.heads.index((layer, number)) if (layer, number) in view.heads else None
        if head in positions and head is not None:
            _edited(box, start, positions.index(head), f"edited L{layer}H{number}")
    for head, color, thickness in ((hovered, theme.now.text_dim, 1.0), (view.chosen, theme.now.accent, 2.0)):
        if head is not None and head in positions:
            low = _tile(box, start, positions.index(head))
            edge = thickness
            canvas.add_rect(
                ImVec2(low.x - edge, low.y - edge),
                ImVec2(low.x + box.side + edge, low.y + box.side + edge),
                packed(color), 0.0, thickness,
            )  # fmt: skip


def _edited(box: WallBox, start: ImVec2, position: int, identity: str) -> None:
    """Mark the tile of an edited head: a corner above its diagonal, where there is no weight."""
    low = _tile(box, start, position)
    right, size = low.x + box.side, max(box.side / 3, 4.0)
    corners = ImVec2(right - size, low.y), ImVec2(right, low.y), ImVec2(right, low.y + size)
    imgui.get_window_draw_list().add_triangle_filled(*corners, packed(theme.EDIT_ON_PICTURE))
    widget_tracking.mark(identity, corners[0], corners[2])


def _positions(view: AttentionView, box: WallBox) -> tuple[int | None, ...]:
    """The head in each position."""
    if view.order.statistic:
        return view.ranked
    index = {pair: at for at, pair in enumerate(view.heads)}
    return tuple(index.get((layer, head)) for layer in range(box.rows) for head in range(box.columns))


def _tile(box: WallBox, start: ImVec2, position: int) -> ImVec2:
    row, column = divmod(position, box.columns)
    return ImVec2(start.x + column * box.pitch_x, start.y + row * box.pitch_y)


def _mouse(view: AttentionView, box: WallBox, start: ImVec2, positions: tuple[int | None, ...]) -> int | None:
    """Handle wheel and click on the wall, which must be the last item; returns the head under the mouse."""
    io = imgui.get_io()
    if not imgui.is_item_hovered():
        return None
    if io.mouse_wheel:
        view.move_layers(-1 if io.mouse_wheel > 0 else 1)
    column, row = int((io.mouse_pos.x - start.x) // box.pitch_x), int((io.mouse_pos.y - start.y) // box.pitch_y)
    position = row * box.columns + column
    head = positions[position] if 0 <= column < box.columns and 0 <= position < len(positions) else None
    if head is None:
        return None
    if imgui.is_mouse_clicked(imgui.MouseButton_.left):
        view.chosen = head
    imgui.set_tooltip(_tip(view, head))
    return head


def _tip(view: AttentionView, head: int) -> str:
    layer, number = view.heads[head]
    lines = [f"layer {layer}, head {number}"]
    known = view.statistics
    if known is not None and known.rows > 1:
        lines += [
            f"previous token {known.of('previous')[head]:.3f}",
            f"first token {known.of('first')[head]:.3f}",
            f"induction {known.of('induction')[head]:.3f}" if known.repeats else "induction: no token is repeated",
            f"entropy {known.of('entropy')[head]:.2f} bits",
            f"mean distance {known.of('distance')[head]:.1f} tokens",
        ]
    if view.pool > 1:
        lines.append(f"each cell: the largest weight of {view.pool} x {view.pool}")
    return "\n".join(lines)


def _labels(view: AttentionView, box: WallBox, start: ImVec2, positions: tuple[int | None, ...]) -> None:
    """Number layers and heads, or write below each tile which head it is and its value."""
    high = theme.em(SMALL)
    if not view.order.statistic:
        every = max(1, -int(-high * 1.1 // box.pitch_y))
        for row in range(0, box.rows, every):
            text = f"L{row}"
            y = start.y + row * box.pitch_y + (box.side - high) / 2
            small_text(ImVec2(start.x - small_width(text) - theme.em(0.35), y), theme.now.text_dim, text)
        every = max(1, -int(-theme.em(1.2) // box.pitch_x))
        for column in range(0, box.columns, every):
            text = str(column)
            x = start.x + column * box.pitch_x + (box.side - small_width(text)) / 2
            small_text(ImVec2(x, start.y - high - theme.em(0.15)), theme.now.text_dim, text)
        return
    if not box.label:
        return
    for position, head in enumerate(positions):
        if head is None:
            continue
        low, value = _tile(box, start, position), view.value(head)
        layer, number = view.heads[head]
        text = f"L{layer}H{number}"
        longer = text if value is None else f"{text} {value:.2f}".replace(" 0.", " .")
        text = longer if small_width(longer) <= box.pitch_x - theme.em(0.25) else text
        small_text(ImVec2(low.x, low.y + box.side + theme.em(0.05)), theme.now.text_dim, text)
