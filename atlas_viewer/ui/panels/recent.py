"""The submenu with the recordings that were opened or made most recently."""

from __future__ import annotations

from imgui_bundle import imgui

from atlas_viewer.state import recent_files
from atlas_viewer.state.requests import OpenRecording
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking

from .widgets import drawable, tooltip

_missing: set[str] = set()  # paths without a file when the submenu was opened


def draw(state: State) -> None:
    """Draw the submenu; a missing file cannot be chosen."""
    recent = state.ui.recent
    if not widget_tracking.begin_menu("Open recent###recent recordings", bool(recent)):
        return
    if imgui.is_window_appearing():  # not in every frame: a file may be on a slow network
        _missing.clear()
        _missing.update(recent_files.missing(recent))
    for number, (path, label) in enumerate(zip(recent, recent_files.labels(recent), strict=True)):
        gone = path in _missing
        shown = drawable(label) + ("  (missing)" if gone else "")
        if widget_tracking.menu_item(f"{shown}###recent {number}", "", False, not gone)[0]:
            state.requests.append(OpenRecording(path))
        tooltip(path)
    imgui.separator()
    if widget_tracking.menu_item("Clear this list###recent clear", "", False)[0]:
        state.ui.recent = []
    imgui.end_menu()
