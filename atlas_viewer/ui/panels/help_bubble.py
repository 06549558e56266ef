"""F1: a sentence about what is under the mouse, shown beside it until the mouse moves."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.explanation import PANELS, explain
from atlas_viewer.state.state import State
from atlas_viewer.state.ui_state import VIEWS
from atlas_viewer.ui import theme, widget_tracking

from .widgets import drawable

_WIDTH = 28.0  # ems
_MOVED = 1.0  # ems: the mouse has moved away


def draw(state: State) -> None:
    """Find the sentence in the frame after the key, and draw it."""
    shown = state.explanation
    mouse = imgui.get_io().mouse_pos
    at = (mouse.x, mouse.y)
    if shown.asked:
        shown.asked, shown.mouse = False, at
        panel = shown.panel or _beside_panels(*at)
        cursor = state.inspection.cursor if panel in VIEWS and not state.inspection.keyed else None
        info = state.inspection.tensors.get(cursor.name) if cursor is not None else None
        shown.text = explain(widget_tracking.help_under_mouse(), (info.name, info.sentence) if info else None, panel)
    elif shown.text and max(abs(at[0] - shown.mouse[0]), abs(at[1] - shown.mouse[1])) > theme.em(_MOVED):
        shown.text = ""
    widget_tracking.be_quiet(bool(shown.text))
    if shown.text:
        _bubble(shown.text)
    shown.panel = ""


def _beside_panels(x: float, y: float) -> str:
    """Name of the panel whose tab is at a point, or of the timeline; empty elsewhere."""
    for name in PANELS:
        for identity in (f"tab:{name}", f"{name.lower()} track"):
            rect = widget_tracking.rects.get(identity)
            if rect is not None and rect.contains(x, y):
                return name
    return ""


def _bubble(text: str) -> None:
    imgui.set_next_window_size_constraints(ImVec2(0, 0), ImVec2(theme.em(_WIDTH), 1e4))
    if imgui.begin_tooltip():
        imgui.push_text_wrap_pos(theme.em(_WIDTH) - 2 * imgui.get_style().window_padding.x)
        imgui.text(drawable(text))
        imgui.pop_text_wrap_pos()
        imgui.end_tooltip()
