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
    wrap = max(viewport.size.x - button - theme.em(2.7), theme.em(4))
    height = max(
        imgui.calc_text_size(text + more, False, wrap).y + theme.em(1.2), imgui.get_frame_height() + theme.em(0.8)
    )
    flags = imgui.WindowFlags_
    with theme.coloured(imgui.Col_.window_bg, theme.now.error_back):
        shown = imgui.internal.begin_viewport_side_bar(
            "##messages", viewport, imgui.Dir.down, height, flags.no_saved_settings | flags.no_scrollbar
        )
    if shown:
        imgui.align_text_to_frame_padding()
        imgui.push_text_wrap_pos(wrap)
        imgui.text_colored(theme.now.error, text + more)
        imgui.pop_text_wrap_pos()
        imgui.same_line(viewport.size.x - button - imgui.get_style().window_padding.x)
        if items.button("Dismiss", ImVec2(button, 0)):
            state.messages.clear()
    imgui.end()
