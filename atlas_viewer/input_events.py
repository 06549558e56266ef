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


def hand_on(event: dict[str, Any]) -> None:
    """Tell the current imgui context of an event what its renderer leaves out."""
    if event.get("key") in _MORE_KEYS:
        imgui.get_io().add_key_event(_MORE_KEYS[event["key"]], event["event_type"] == "key_down")
    if event["event_type"] == "pointer_leave":
        imgui.get_io().add_mouse_pos_event(-1e9, -1e9)  # nothing stays hovered
