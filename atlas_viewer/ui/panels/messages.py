"""Error messages, shown over the bottom of the window until they are dismissed."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from .widgets import drawable

NAME = "Messages"

_WIDEST = 60.0  # ems
_GAP = 0.6  # distance to the edge of the window, in ems


def draw(state: State) -> None:
    """Draw the latest message, if any, over the panels, without moving them."""
    if not state.messages:
        return
    text = drawable(state.messages[-1])
    more = f"  (and {len(state.messages) - 1} more)" if len(state.messages) > 1 else ""
    viewport, style = imgui.get_main_viewport(), imgui.get_style()
    button = imgui.calc_text_size("Dismiss").x + 2 * style.frame_padding.x
    around = button + style.item_spacing.x + 2 * style.window_padding.x
    most = min(theme.em(_WIDEST), viewport.size.x - 2 * theme.em(_GAP)) - around
    width = max(min(imgui.calc_text_size(text + more).x, most), theme.em(4))
    anchor = ImVec2(viewport.get_center().x, viewport.pos.y + viewport.size.y - theme.em(_GAP))
    imgui.set_next_window_pos(anchor, imgui.Cond_.always, ImVec2(0.5, 1.0))
    flags = imgui.WindowFlags_
    kind = flags.no_decoration | flags.always_auto_resize | flags.no_move | flags.no_docking | flags.no_saved_settings
    imgui.push_style_var(imgui.StyleVar_.window_border_size, 1.0)
    with (
        theme.colored(imgui.Col_.window_bg, theme.now.error_back),
        theme.colored(imgui.Col_.border, theme.now.error),
    ):
        imgui.begin(f"##{NAME}", None, kind | flags.no_focus_on_appearing | flags.no_nav)
    imgui.pop_style_var()
    imgui.internal.bring_window_to_display_front(imgui.internal.get_current_window())
    left = imgui.get_cursor_pos_x()
    imgui.align_text_to_frame_padding()
    imgui.push_text_wrap_pos(left + width + 1)
    imgui.text_colored(theme.now.error, text + more)
    imgui.pop_text_wrap_pos()
    imgui.same_line(left + width + style.item_spacing.x)
    if widget_tracking.button("Dismiss###Dismiss", ImVec2(button, 0)):
        state.messages.clear()
    imgui.end()
