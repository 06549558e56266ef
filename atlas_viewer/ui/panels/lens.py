"""The Lens panel: what the model would predict after each block, at each position of the text."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import selecting
from atlas_viewer.state.compared_lens import shown_lens
from atlas_viewer.state.lens_layout import LensLayout, lens_layout
from atlas_viewer.state.lens_target import aim
from atlas_viewer.state.lens_view import MODE_TIPS, MODES, RANK, LensColumn, short_name
from atlas_viewer.state.navigation import LENS, open_map
from atlas_viewer.state.quoting import percent
from atlas_viewer.state.selection import Selection
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.services import Services
from compute.models.tensor_index import TensorIndex

from . import lens_legend
from .lens_grid import LensGrid, colors_of, mark
from .lens_texts import LensTexts
from .toolbar import Tool, toolbar
from .view_common import CLICK, alarm, arrow, loading, right_of_tools
from .widgets import elided, hint, tooltip

NAME = LENS

_COMBO, _TARGET = 9.0, 11.0  # ems
_ZOOM = 1.25  # for one notch of the wheel
_NOTCH = 0.12  # of the visible positions, for one notch of the wheel
_HINT = "a click selects a cell, and Map goes there; double-click opens Map; Ctrl+wheel zooms, wheel moves, F fits"

_grid = LensGrid()
_texts = LensTexts(None)


def draw(state: State, services: Services) -> None:
    """Draw the tools, the grid, the legend with the self-check, and a line about the cell under the mouse."""
    global _texts
    view = state.lens
    if _texts.tokenizer is not services.tokenizer:
        _texts = LensTexts(services.tokenizer)
    _texts.follow(state)
    if view.problem or not view.points:
        _nothing(state)
        return
    if state.ui.tools:
        toolbar("lens tools", _tools(state, services))
        if view.refused:
            imgui.text_colored(theme.now.error, elided(view.refused, imgui.get_content_region_avail().x))
            tooltip(view.refused)
        elif not alarm(state):
            _progress(state)
    space, corner = imgui.get_content_region_avail(), imgui.get_cursor_screen_pos()
    line = imgui.get_text_line_height_with_spacing()
    foot = line * (1 + state.ui.details)
    whole = view.positions()
    layout = lens_layout(whole, view.visible(whole), len(view.points), space.x, space.y - foot, theme.em(1))
    _keys(state, whole)
    hovered = _mouse(state, layout, corner, whole)
    if len(whole):
        vocabulary = state.model.vocabulary if state.model else 2
        _grid.draw(shown_lens(state), layout, corner, _texts, vocabulary, colors_of(state.ui.theme))
        _marks(state, layout, corner)
    below = corner.y + space.y - foot + imgui.get_style().item_spacing.y
    lens_legend.draw(state, ImVec2(corner.x, below), space.x)
    if state.ui.details:
        imgui.set_cursor_screen_pos(ImVec2(corner.x, below + line))
        _details(state, hovered)


def _nothing(state: State) -> None:
    """Say why there is nothing to show."""
    if state.loading:
        loading(state, imgui.get_content_region_avail().x)
    else:
        hint(state.lens.problem or "The logit lens appears here when a model has run.")


def _tools(state: State, services: Services) -> list[Tool]:
    """The coloring and the target."""
    view = state.lens

    def coloring() -> None:
        imgui.align_text_to_frame_padding()
        imgui.text("Color by")
        imgui.same_line()
        imgui.set_next_item_width(theme.em(_COMBO))
        if widget_tracking.begin_combo("##lens color", view.mode):
            for mode in MODES:
                if widget_tracking.selectable(f"{mode}##lens color", mode == view.mode)[0]:
                    view.mode = mode
                tooltip(MODE_TIPS[mode])
            imgui.end_combo()
        tooltip(f"{MODE_TIPS[view.mode]}  Shift+K")

    def target() -> None:
        imgui.set_next_item_width(theme.em(_TARGET))
        changed, text = widget_tracking.input_text_with_hint("##lens target", "target: a token or id:11", view.typed)
        tooltip("The token whose rank and probability to compute. A space at its beginning matters.")
        if changed and services.tokenizer is not None and state.model is not None:
            aim(view, text, state.model.vocabulary, services.tokenizer)

    width = imgui.calc_text_size("Color by").x + imgui.get_style().item_spacing.x + theme.em(_COMBO)
    return [Tool(width, coloring), Tool(theme.em(_TARGET), target)]


def _progress(state: State) -> None:
    """Say how many positions are still being computed."""
    view = state.lens
    if view.mode == RANK and view.target is None:
        imgui.same_line()
        right_of_tools("type a target to see its ranks")
        return
    ready = sum(position in view.columns for position in range(view.start, view.start + view.rows))
    text = f"{len(view.positions())} positions" if ready == view.rows else f"{ready} of {view.rows} positions"
    imgui.same_line()
    right_of_tools(elided(text, imgui.get_content_region_avail().x))


def _keys(state: State, whole: range) -> None:
    """Let arrow keys move the selected cell."""
    move = arrow()
    if move is None or not len(whole):
        return
    if move[0]:
        selecting.move_token(state, move[0])
    else:
        selecting.move_layer(state, move[1])
    if state.selected.position is not None:
        state.lens.show(state.selected.position, whole)


def _mouse(state: State, layout: LensLayout, corner: ImVec2, whole: range) -> tuple[int | None, int | None]:
    """Find the cell under the mouse; handle wheel, drag and clicks. Returns its position and point."""
    view, io = state.lens, imgui.get_io()
    imgui.set_cursor_screen_pos(corner)
    size = ImVec2(layout.x + max(layout.width, 1.0), layout.y + layout.height)
    widget_tracking.invisible_button("lens grid", size)
    if imgui.is_item_active() and io.mouse_delta.x and io.mouse_drag_max_distance_sqr[0] >= theme.em(CLICK) ** 2:
        view.move_by(-io.mouse_delta.x / layout.pitch_x, whole)
    if not imgui.is_item_hovered():
        return None, None
    x, y = io.mouse_pos.x - corner.x, io.mouse_pos.y - corner.y
    if io.mouse_wheel and io.key_ctrl:
        view.zoom_by(_ZOOM**io.mouse_wheel, max(x - layout.x, 0.0) / max(layout.width, 1.0), whole)
    elif io.mouse_wheel or io.mouse_wheel_h:
        view.move_by(-(io.mouse_wheel + io.mouse_wheel_h) * max(_NOTCH * view.visible(whole)[1], 1.0), whole)
    position, row = layout.cell_at(x, y)
    if position is None and row is None:
        return None, None
    state.hovered = _selection(state, position, row)
    if io.mouse_delta.x or io.mouse_delta.y:
        state.ui.view = LENS
    if imgui.is_mouse_released(imgui.MouseButton_.left) and io.mouse_drag_max_distance_sqr[0] < theme.em(CLICK) ** 2:
        state.selected = state.hovered
        _go(state, position, row)
    if imgui.is_mouse_double_clicked(imgui.MouseButton_.left):
        open_map(state)
    column = None if position is None else view.columns.get(position)
    if position is not None and row is not None and column is not None:
        imgui.set_tooltip(_tip(state, position, row, column))
    return position, row


def _selection(state: State, position: int | None, row: int | None) -> Selection:
    """What a cell or an axis label stands for: with the likeliest token, if it is known."""
    column = None if position is None else state.lens.columns.get(position)
    token = None
    if column is not None and row is not None and column.tokens[row, 0] >= 0:
        token = int(column.tokens[row, 0])
    elif position is not None and row is None:
        return selecting.of_token(state, position)
    return Selection(position=position, layer=row - 1 if row else None, token=token)


def _go(state: State, position: int | None, row: int | None) -> None:
    """Let Map go to the row of the residual stream that a cell was computed from."""
    if row is None:
        return
    name = state.lens.points[row]
    at = None if position is None else selecting.row_of(state, position)
    state.map.go(TensorIndex(name) if at is None else TensorIndex(name, (at, 0)))


def _tip(state: State, position: int, row: int, column: LensColumn) -> str:
    """The likeliest tokens of a cell, and its numbers."""
    view = state.lens
    lines = [f"after token {position} {_texts.quoted_text(position)}, {_where(view.points[row])}:"]
    for token, share in zip(column.tokens[row].tolist(), column.probabilities[row].tolist(), strict=True):
        if token >= 0:
            lines.append(f"{percent(share)}  {_texts.quoted_token(token)}")
    lines.append(f"entropy {column.entropy[row]:.2f} nats")
    if column.target is not None:
        lines.append(_target(column, row))
    other = state.comparing.lens.columns.get(position) if state.comparing.ready else None
    if other is not None and other.tokens[row, 0] >= 0:
        share = percent(float(other.probabilities[row, 0])).strip()
        lines.append(
            f"B: {share} {_texts.quoted_token(int(other.tokens[row, 0]))}, entropy {other.entropy[row]:.2f} nats"
        )
    final = _texts.quoted_token(int(column.tokens[-1, 0])) if column.tokens[-1, 0] >= 0 else "nothing"
    lines.append(f"final prediction {final}, likeliest {_where(view.points[column.known])} and later")
    return "\n".join(lines)


def _where(point: str) -> str:
    """A point in words: "after block 5"."""
    return f"after {short_name(point)}"


def _target(column: LensColumn, row: int) -> str:
    """Rank and probability of the target; empty without one."""
    if column.target is None or column.ranks is None or column.target_probabilities is None:
        return ""
    share, rank = percent(float(column.target_probabilities[row])).strip(), int(column.ranks[row])
    place = f"rank {rank}, {share}" if rank >= 0 else "its logit is not finite"
    return f"target {_texts.quoted_token(column.target)}: {place}"


def _marks(state: State, layout: LensLayout, corner: ImVec2) -> None:
    """Outline the selected cell, row or column, and the one that the mouse is over in any view."""
    shown = state.highlight
    if shown != state.selected:
        mark(layout, corner, state.selected, strong=False)
    found = mark(layout, corner, shown, strong=True)
    if found is not None:
        widget_tracking.mark("lens", *found)


def _details(state: State, hovered: tuple[int | None, int | None]) -> None:
    """Say on one line what the cell under the mouse, or the selected one, predicts."""
    view, selected = state.lens, state.selected
    position, row = hovered
    if position is None and row is None and selected.position is not None:
        position = selected.position
        row = None if selected.layer is None else selected.layer + 1
    column = None if position is None else view.columns.get(position)
    text, color = _HINT, theme.now.text_dim
    if column is not None and position is not None:
        row = len(view.points) - 1 if row is None or row >= len(view.points) else row
        token, share = int(column.tokens[row, 0]), float(column.probabilities[row, 0])
        text = f"after {_texts.quoted_text(position)} ({position}), {_where(view.points[row])}: "
        text += "no finite logit" if token < 0 else f"{_texts.quoted_token(token)} {percent(share).strip()}"
        text += f", entropy {column.entropy[row]:.2f} nats"
        if column.target is not None:
            text += f", {_target(column, row)}"
        color = theme.now.text
    with theme.numbers():
        imgui.text_colored(color, elided(text, imgui.get_content_region_avail().x))
