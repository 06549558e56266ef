"""What went wrong, along the bottom of the window until it is dismissed."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from .. import items, theme
from ..state import State

TITLE = "Messages"


def draw(state: State) -> None:
    """A bar that takes its room from the panels; nothing when there are no messages."""
    if not state.messages:
        return
    text = state.messages[-1]
    more = f"  (and {len(state.messages) - 1} more)" if len(state.messages) > 1 else ""
    viewport = imgui.get_main_viewport()
    button = imgui.calc_text_size("Dismiss").x + 2 * imgui.get_style().frame_padding.x
    wrap = viewport.size.x - button - 40
    height = max(imgui.calc_text_size(text + more, False, wrap).y + 18, imgui.get_frame_height() + 12)
    flags = imgui.WindowFlags_
    with theme.coloured(imgui.Col_.window_bg, theme.now.error_back):
        shown = imgui.internal.begin_viewport_side_bar(
            "##messages", viewport, imgui.Dir.down, height, flags.no_saved_settings | flags.no_scrollbar
        )
    if shown:
        imgui.push_text_wrap_pos(wrap)
        imgui.text_colored(theme.now.error, text + more)
        imgui.pop_text_wrap_pos()
        imgui.same_line(viewport.size.x - button - 10)
        if items.button("Dismiss", ImVec2(button, 0)):
            state.messages.clear()
    imgui.end()
