"""The selection on one line: in the menu bar, or in lecture mode below the text."""

from __future__ import annotations

from imgui_bundle import imgui

from atlas_viewer.state.selecting import describe
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking

from . import activity
from .widgets import drawable, elided, tooltip

_GAP = 1.5  # ems, after the menus
_TIP = (
    "The selection: every view highlights it.\n"
    "Ctrl+Left and Ctrl+Right select a token, Ctrl+Up and Ctrl+Down a layer, H and Shift+H a head; Escape clears it."
)


def draw(state: State) -> None:
    """Draw it after the menus, within the menu bar."""
    if not state.highlight:
        return
    gap = theme.em(_GAP)
    available = imgui.get_content_region_avail().x - 2 * gap - activity.least_width(state)
    if available <= gap:
        return
    imgui.set_cursor_pos_x(imgui.get_cursor_pos_x() + gap)
    text(state, available)
    widget_tracking.track("selection")
    tooltip(f"{describe(state, state.highlight)}\n{_TIP}")


def text(state: State, width: float) -> None:
    """Draw as much of the line as fits; dim while it is only what the mouse is over."""
    stays = state.highlight == state.selected
    shown = elided(drawable(describe(state, state.highlight)), width)
    imgui.text_colored(theme.now.text if stays else theme.now.text_dim, shown)
