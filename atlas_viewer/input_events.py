"""Events of the canvas: what of them imgui would not get, and frames that take in all that has arrived."""

from __future__ import annotations

import time
from collections.abc import Callable
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

_MODIFIERS = {"shift", "control", "alt", "meta", "capslock", "numlock", "scrolllock"}
# Seconds that a frame may spend on input that has piled up, and what passes for imgui between two pieces of it.
_TAKING_IN = 0.1
_INSTANT = 1e-4
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


def waiting() -> bool:
    """True while the current imgui context has input that no frame has taken yet."""
    return len(imgui.get_current_context().input_events_queue) > 0


def take_in(draw: Callable[[], object], go_on: Callable[[], bool]) -> None:
    """Make the widgets of a frame with `draw`, and again until no input waits; what the last time made is to be shown.

    imgui takes in one key or click a frame: a press and its release within one frame would go unnoticed. So each of
    them gets a frame here, and on a slow machine a picture still shows all that was typed before it. Call it after
    imgui's `new_frame`.

    go_on: asked before each repetition; when it says no, the rest of the input waits for the next frame.
    """
    until = time.perf_counter() + _TAKING_IN
    draw()
    imgui.render()
    while waiting() and go_on() and time.perf_counter() < until:
        imgui.get_io().delta_time = _INSTANT
        imgui.new_frame()
        draw()
        imgui.render()


class HeldKeys:
    """Which keys are down. imgui repeats them, frame by frame: frames have to go on meanwhile."""

    def __init__(self) -> None:
        self._held: set[str] = set()

    def note(self, event: dict[str, Any]) -> None:
        """An event of the canvas. When a window loses the focus its keys are released."""
        key = str(event.get("key", "")).lower()  # Shift may come or go while a letter is held
        if event["event_type"] == "key_down" and key not in _MODIFIERS:
            self._held.add(key)
        elif event["event_type"] == "key_up":
            self._held.discard(key)

    @property
    def any(self) -> bool:
        """Whether a key is down, modifiers aside."""
        return bool(self._held)


def navigate_again() -> None:
    """Let keys go from widget to widget again once Alt is up; call it at the end of each frame."""
    io = imgui.get_io()
    if not io.key_alt:
        io.config_flags |= _NAVIGATION
