"""Lecture mode: the text and the latest tokens in a strip below the picture."""

from __future__ import annotations

import bisect
import operator

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.state import State
from atlas_viewer.state.ui_state import UiState
from atlas_viewer.ui import theme

from . import drawers, output, selection_line, text_marks, tokens
from .view_common import value_line
from .widgets import dim, packed

_LINES = 2  # of text
_HINT = "F11 leaves, keys 1 to 9 open panels, Space plays"


def height(ui: UiState) -> float:
    """Height in pixels of the strip with the text; 0 if the picture needs the window for itself."""
    size = imgui.get_main_viewport().work_size
    style = imgui.get_style()
    lines = (_LINES + 1) * imgui.get_text_line_height()
    high = float(lines + tokens.chip_height() + 2 * style.item_spacing.y + 2 * style.window_padding.y)
    return high if size.x - drawers.width(ui) >= theme.em(12) and size.y >= 2 * high else 0.0


def draw(state: State) -> None:
    """Draw the end of the text, a line of token chips, and the value in focus or a hint."""
    viewport = imgui.get_main_viewport()
    corner, size = viewport.work_pos, viewport.work_size
    wide, high = size.x - drawers.width(state.ui), height(state.ui)
    if not high:
        return
    line = imgui.get_text_line_height()
    imgui.set_next_window_pos(ImVec2(corner.x, corner.y + size.y - high))
    imgui.set_next_window_size(ImVec2(wide, high))
    flags = imgui.WindowFlags_
    kind = flags.no_decoration | flags.no_move | flags.no_docking | flags.no_saved_settings
    with theme.colored(imgui.Col_.window_bg, theme.now.back):
        imgui.begin("##lecture", None, kind | flags.no_focus_on_appearing | flags.no_nav)
    _text(state, line)
    if state.run is not None and state.run.steps:
        tokens.latest(state, state.run)
    else:
        imgui.dummy(ImVec2(1, tokens.chip_height()))
    if state.inspection.focus is not None:
        value_line(state, "")
    elif state.highlight:
        selection_line.text(state, imgui.get_content_region_avail().x)
    else:
        dim(_HINT)
    imgui.end()


def _text(state: State, line: float) -> None:
    """Draw the last lines of prompt and continuation."""
    run = state.run
    prompt, continuation = (run.prompt, run.continuation) if run is not None else (state.prompt, "")
    width = imgui.get_content_region_avail().x
    pieces = output.flow(prompt, continuation, round(width), imgui.get_font_size())
    first = max(pieces[-1].line + 1 - _LINES, 0) if pieces else 0
    origin = imgui.get_cursor_screen_pos()
    if run is not None:
        shown = pieces[bisect.bisect_left(pieces, first, key=operator.attrgetter("line")) :]
        text_marks.draw(state, run, shown, ImVec2(origin.x, origin.y - first * line), line)
    bright, faded = packed(theme.now.text), packed(theme.now.text_dim)
    canvas = imgui.get_window_draw_list()
    for piece in reversed(pieces):
        if piece.line < first:
            break
        corner = ImVec2(origin.x + piece.x, origin.y + (piece.line - first) * line)
        canvas.add_text(corner, bright if piece.bright else faded, piece.text.rstrip())
    imgui.dummy(ImVec2(width, _LINES * line))
