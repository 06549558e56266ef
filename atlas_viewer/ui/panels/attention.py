"""The Attention panel: all heads of all layers, one of them enlarged, and the text with lines between its tokens."""

from __future__ import annotations

from dataclasses import replace

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state import selecting
from atlas_viewer.state.attention_layout import attention_layout
from atlas_viewer.state.attention_view import ORDERS, STEP_TITLES, STEPS, AttentionView
from atlas_viewer.state.inspection import shown_value
from atlas_viewer.state.navigation import ATTENTION
from atlas_viewer.state.quoting import quoted
from atlas_viewer.state.state import State
from atlas_viewer.state.text_tokens import context_start, context_token
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.services import Services

from . import attention_matrix, attention_text, attention_wall
from .toolbar import Tool, button_width, toolbar
from .view_common import alarm, arrow, copy_value, loading, right_of_tools, value_line
from .widgets import elided, hint, tooltip

NAME = ATTENTION

_COMBO = 9.0  # ems
_HINT = "wheel changes the layer, arrow keys the head, a click selects; Ctrl+wheel zooms, drag pans, F fits"


def draw(state: State, services: Services) -> None:
    """Draw the tools, the wall, the matrices, the text, and a line about the element under the mouse."""
    view = state.attention
    view.wall_picture = None
    view.matrix_pictures.clear()
    if view.problem or not view.heads:
        _nothing(state)
        return
    if state.ui.tools:
        toolbar("attention tools", _tools(view))
        if not alarm(state):
            _progress(view)
    before = view.chosen
    view.follow(state.selected)
    _keys(view)
    space = imgui.get_content_region_avail()
    line = imgui.get_text_line_height_with_spacing() if state.ui.details else 0.0
    corner = imgui.get_cursor_screen_pos()
    layout = attention_layout(view, space.x, space.y - line, theme.em(1))
    texts = _texts(state)
    _highlighted(state)
    imgui.push_clip_rect(corner, ImVec2(corner.x + space.x, corner.y + space.y), True)
    attention_wall.draw(state, layout.wall, corner, services.heads)
    if layout.matrices and view.rows:
        attention_matrix.draw(state, layout, corner, services.matrices, texts)
    if layout.text[1] and view.rows:
        top = ImVec2(corner.x, corner.y + layout.text[0])
        attention_text.draw(state, top, ImVec2(space.x, layout.text[1]), texts)
    imgui.pop_clip_rect()
    if view.chosen != before:
        layer, head = view.heads[view.chosen]
        state.selected = replace(state.selected, layer=layer, head=head, element=None, neuron=None)
        view.followed = state.selected
    copy_value(state)
    if state.ui.details:
        imgui.set_cursor_screen_pos(ImVec2(corner.x, corner.y + space.y - line + imgui.get_style().item_spacing.y))
        _details(state, texts)


def _details(state: State, texts: tuple[str, ...]) -> None:
    """Say on one line what the query and the key in view have to do with each other."""
    view, line = state.attention, state.attention.current_line
    if view.query is None or view.key is None or max(view.query, view.key) >= len(texts):
        value_line(state, _HINT)
        return
    text = f"query {texts[view.query]} ({view.query}), key {texts[view.key]} ({view.key}): "
    if line is None or view.key >= len(line.query_scores):
        text += "..."
    elif view.key > view.query:
        text += f"score {shown_value(float(line.query_scores[view.key]))}, masked because the key is later"
    else:
        score, weight = (float(values[view.key]) for values in (line.query_scores, line.query_weights))
        text += f"score {shown_value(score)}, weight {shown_value(weight)}"
    with theme.numbers():
        imgui.text_colored(theme.now.text, elided(text, imgui.get_content_region_avail().x))


def _nothing(state: State) -> None:
    """Say why there is nothing to show."""
    if state.loading:
        loading(state, imgui.get_content_region_avail().x)
    else:
        hint(state.attention.problem or "Attention appears here when a model has run.")


def _tools(view: AttentionView) -> list[Tool]:
    """The order of heads, and the steps to show."""

    def order() -> None:
        imgui.align_text_to_frame_padding()
        imgui.text("Sort by")
        imgui.same_line()
        imgui.set_next_item_width(theme.em(_COMBO))
        if widget_tracking.begin_combo("##attention order", view.order.title):
            for choice in ORDERS:
                if widget_tracking.selectable(f"{choice.title}##attention {choice.name}", choice is view.order)[0]:
                    view.order = choice
                tooltip(choice.about)
            imgui.end_combo()
        tooltip(f"{view.order.about}  Shift+Q")

    def step(value: int, title: str, about: str) -> Tool:
        def draw_button() -> None:
            on = view.step == value
            with theme.colored(imgui.Col_.button, theme.now.accent_dim if on else theme.now.raised):
                if widget_tracking.button(f"{title}###{title}##attention"):
                    view.step = value
            tooltip(f"Enlarge this step. {about}  Shift+S")

        return Tool(button_width(title), draw_button)

    about = (
        "How well each query matches each key: their product, divided by the root of the head's size",
        "Later keys are masked: a token must not see what follows it",
        "Each row of the masked scores turned into weights that add up to 1",
    )
    width = imgui.calc_text_size("Sort by").x + imgui.get_style().item_spacing.x + theme.em(_COMBO)
    return [
        Tool(width, order),
        *(step(value, STEP_TITLES[value], about[value]) for value in STEPS),
    ]


def _progress(view: AttentionView) -> None:
    """Say how much of a long context is still being computed, or which head is enlarged."""
    if view.rows_ready < view.rows:
        text = f"{view.rows_ready} of {view.rows} tokens"
    else:
        text = f"layer {view.layer}, head {view.head}"
        value = view.value(view.chosen)
        if value is not None:
            text += f", {view.order.title} {value:.3f}"
    imgui.same_line()
    right_of_tools(elided(text, imgui.get_content_region_avail().x))


def _keys(view: AttentionView) -> None:
    """Let arrow keys choose a head."""
    move = arrow()
    if move is not None:
        view.select_next(*move, max(head for _, head in view.heads) + 1)


def _highlighted(state: State) -> None:
    """Show the tokens that all views highlight."""
    view, shown = state.attention, state.highlight
    view.query = None if shown.position is None else selecting.row_of(state, shown.position)
    view.key = None if shown.key is None else selecting.row_of(state, shown.key)


def _texts(state: State) -> tuple[str, ...]:
    """The quoted texts of the context's tokens, made when they change."""
    view, run = state.attention, state.run
    start = context_start(state)
    key = (run.number if run else 0, len(run.steps) if run else 0, view.rows, start, state.inspection.first_position)
    if view.texts[0] != key:
        tokens = (context_token(state, row) for row in range(view.rows))
        view.texts = (key, tuple("?" if token is None else quoted(token[1]) for token in tokens))
    return view.texts[1]
