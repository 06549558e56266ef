"""Common parts of the Strip and Map panels: the value line, the alarm for NaN and infinity, progress bars."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.inspection import shown_value
from atlas_viewer.state.navigation import show
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.inspector_rows import summary
from compute.models.tensor_index import TensorIndex

from .widgets import beside, dim, elided, hint, tooltip

# imgui counts wheel notches; cameras count hundredths of a notch.
UNITS_PER_NOTCH = 100.0
PAN = 0.1  # fraction of the picture for one press of an arrow key
ALARM = 12.0  # minimum width for the text of an alarm, in ems
CLICK = 0.3  # ems that the mouse may move while its button is down, for a click
OUTLINE = 0.34  # minimum size of a marked cell, in ems

_ARROWS = (
    (imgui.Key.left_arrow, -1, 0),
    (imgui.Key.right_arrow, 1, 0),
    (imgui.Key.up_arrow, 0, -1),
    (imgui.Key.down_arrow, 0, 1),
)


def loading(state: State, width: float) -> None:
    """Draw what is being loaded, with a progress bar."""
    progress(f"{state.loading} ...", state.loading_step, state.loaded, width)


def progress(text: str, step: str, done: float, width: float) -> None:
    """Draw a text, and a progress bar for its current `step`, `done` from 0 to 1. width: available width, in pixels."""
    em = imgui.get_font_size()
    if imgui.begin_child("loading", ImVec2(min(width - 20, 24 * em), 5 * em)):
        hint(text)
        if step:
            imgui.progress_bar(done, ImVec2(-1, 0), f"{step} {100 * done:.0f} %")
    imgui.end_child()


def alarm(state: State) -> bool:
    """Name the first tensor with NaN or infinity, with a button that shows it. False when there is none."""
    inspection = state.inspection
    name = inspection.bad
    if name is None:
        return False
    beside(theme.em(ALARM))
    if widget_tracking.button("Go###Go##alarm"):
        info, known = inspection.tensors.get(name), inspection.statistics.get(name)
        first = known.first_nonfinite if known is not None else None
        show(state, TensorIndex(name, info.multi_index(first) if info is not None and first is not None else ()))
    tooltip(f"Show {name}")
    imgui.same_line()
    imgui.align_text_to_frame_padding()
    text = f"First NaN or infinity: {name}"
    imgui.text_colored(theme.now.error, elided(text, imgui.get_content_region_avail().x))
    tooltip(text)
    return True


def value_line(state: State, hint_text: str) -> None:
    """Draw one line: the value in focus, or `hint_text`."""
    focus = state.inspection.focus
    text = hint_text if focus is None else summary(state, focus)
    with theme.numbers():
        shown = elided(text, imgui.get_content_region_avail().x)
        imgui.text_colored(theme.now.text_dim if focus is None else theme.now.text, shown)


def copy_value(state: State) -> None:
    """Copy the value in focus when Ctrl+C is pressed outside text fields."""
    io, inspection = imgui.get_io(), state.inspection
    focus = inspection.focus
    pressed = io.key_ctrl and not io.key_alt and imgui.is_key_pressed(imgui.Key.c, False)
    if pressed and not io.want_text_input and focus is not None:
        imgui.set_clipboard_text(shown_value(inspection.value(focus)))


def arrow() -> tuple[int, int] | None:
    """(columns, rows) to move for an arrow key; None if none is pressed or it is meant for a text field or widget."""
    io = imgui.get_io()
    if io.want_text_input or io.key_alt or io.key_ctrl:
        return None
    if not imgui.is_window_focused():
        return None
    for key, columns, rows in _ARROWS:
        if imgui.is_key_pressed(key):
            return columns, rows
    return None


def right_of_tools(text: str) -> bool:
    """Draw dim text at the right end of the tools, if it fits beside them: the space below is for the picture."""
    width = imgui.calc_text_size(text).x
    if not beside(width):
        return False
    imgui.align_text_to_frame_padding()
    imgui.set_cursor_pos_x(imgui.get_cursor_pos_x() + imgui.get_content_region_avail().x - width)
    dim(text)
    return True


def letter_width(font: imgui.ImFont, size: float) -> float:
    """Width in pixels of a letter of a monospaced font, `size` pixels high.

    imgui draws letters of a whole size, which are whole pixels wide, and scales them. So the width is not proportional.
    """
    imgui.push_font(font, size / theme.zoom())  # imgui applies the zoom
    wide: float = imgui.calc_text_size("0" * 20).x / 20 * size / imgui.get_font_size()
    imgui.pop_font()
    return wide
