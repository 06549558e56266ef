"""Events of the canvas that the window draws a frame for, and what of them imgui would not hear of."""

from __future__ import annotations

from typing import Any

from imgui_bundle import imgui

EVENTS = (
    "resize",
    "pointer_move",
    "pointer_down",
    "pointer_up",
    "pointer_enter",
    "pointer_leave",
    "wheel",
    "key_down",
    "key_up",
    "char",
)
# Keys that wgpu's imgui renderer does not hand on.
_MORE_KEYS = {
    "+": imgui.Key.equal, "=": imgui.Key.equal, "-": imgui.Key.minus, "_": imgui.Key.minus, " ": imgui.Key.space,
    ".": imgui.Key.period, ",": imgui.Key.comma, "/": imgui.Key.slash, "[": imgui.Key.left_bracket,
    "]": imgui.Key.right_bracket,
}  # fmt: skip


_NAVIGATION = imgui.ConfigFlags_.nav_enable_keyboard


def hand_on(event: dict[str, Any]) -> None:
    """Tell the current imgui context of an event what its renderer leaves out."""
    io = imgui.get_io()
    if event.get("key") in _MORE_KEYS:
        io.add_key_event(_MORE_KEYS[event["key"]], event["event_type"] == "key_down")
    if event["event_type"] == "pointer_leave":
        io.add_mouse_pos_event(-1e9, -1e9)  # nothing stays hovered
    if event["event_type"] == "key_down" and event["key"] == "Alt":
        io.config_flags &= ~_NAVIGATION  # Alt and an arrow are an action; imgui would go on to another widget, too


def navigate_again() -> None:
    """Let keys go from widget to widget again once Alt is up; call it at the end of each frame."""
    io = imgui.get_io()
    if not io.key_alt:
        io.config_flags |= _NAVIGATION
