"""Events of the canvas on their way to imgui: in order, none lost, however many come between two frames."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from imgui_bundle import imgui
from wgpu.utils.imgui import ImguiRenderer

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
_KEYS: dict[str, imgui.Key] = {
    **ImguiRenderer.KEY_MAP,
    **{character: imgui.Key[character] for character in "abcdefghijklmnopqrstuvwxyz"},
    **{character: imgui.Key[f"_{character}"] for character in "0123456789"},
    "+": imgui.Key.equal, "=": imgui.Key.equal, "-": imgui.Key.minus, "_": imgui.Key.minus, " ": imgui.Key.space,
    ".": imgui.Key.period, ",": imgui.Key.comma, "/": imgui.Key.slash, "[": imgui.Key.left_bracket,
    "]": imgui.Key.right_bracket,
}  # fmt: skip
_MODIFIERS: dict[str, imgui.Key] = ImguiRenderer.KEY_MAP_MOD
_LOCKS = {"CapsLock", "NumLock", "ScrollLock"}
_NAVIGATION = imgui.ConfigFlags_.nav_enable_keyboard
_NOWHERE = -1e9  # of the mouse: nothing stays hovered
# Seconds that a frame may spend on input that has piled up, and what passes for imgui between two pieces of it.
_TAKING_IN = 0.1
_INSTANT = 1e-4


class Input:
    """The events that no frame has taken in yet, and the keys that are down.

    imgui takes in one key or click a frame, and keeps the rest: a press and its release within one frame would go
    unnoticed. But it mixes modifiers with keys: of Ctrl+O pressed and released between two frames it sees an O. So a
    modifier waits here until all before it has had its frame.
    """

    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque()
        self._held: set[str] = set()

    def note(self, event: dict[str, Any]) -> None:
        """Take an event of the canvas. One that is for imgui goes no further."""
        kind = event["event_type"]
        if kind in ("key_down", "key_up"):
            self._note_key(event["key"], kind == "key_down")
        if kind not in ("resize", "pointer_enter"):
            self._events.append(dict(event))
            event["stop_propagation"] = True  # else imgui's renderer would hand it on at once

    def _note_key(self, name: str, down: bool) -> None:
        key = name.lower()  # Shift may come or go while a letter is held
        if down and name not in _MODIFIERS and name not in _LOCKS:
            self._held.add(key)
        elif not down:
            self._held.discard(key)

    @property
    def holding(self) -> bool:
        """Whether a key is down, modifiers aside. imgui repeats it frame by frame, so frames have to go on."""
        return bool(self._held)

    @property
    def waiting(self) -> bool:
        """True while there is input that no frame of the current imgui context has taken in."""
        return bool(self._events) or _imgui_has_some()

    def give(self) -> None:
        """Hand on what one frame can take in; call it before imgui's `new_frame`."""
        if _imgui_has_some():
            return
        io = imgui.get_io()
        plain = pressed = False
        # Of what is typed into a text field its keys tell imgui nothing, and each would take a frame of its own.
        typing = io.want_text_input and not (io.key_ctrl or io.key_alt or io.key_super)
        while self._events:
            event = self._events[0]
            modifier = event.get("key") in _MODIFIERS
            typing = typing and _keeps_typing(event)
            press = event["event_type"] == "key_down" and not modifier
            if (modifier and plain) or (press and pressed):
                return
            self._events.popleft()
            if press and typing and len(event["key"]) == 1:
                continue
            plain, pressed = plain or not modifier, pressed or press
            _hand_on(event)

    def take_in(self, draw: Callable[[], object], go_on: Callable[[], bool]) -> None:
        """Make the widgets of a frame with `draw`, and again until no input waits; the last ones are to be shown.

        On a slow machine a picture then still shows all that was typed before it. Call it after `give` and `new_frame`.

        go_on: asked before each repetition; when it says no, the rest of the input waits for the next frame.
        """
        until = time.perf_counter() + _TAKING_IN
        draw()
        imgui.render()
        while self.waiting and go_on() and time.perf_counter() < until:
            self.give()
            repeat_frame(draw)


def repeat_frame(draw: Callable[[], object]) -> None:
    """Make the widgets of the frame again with `draw`, in place of those before; no time passes for them."""
    imgui.get_io().delta_time = _INSTANT
    imgui.new_frame()
    draw()
    imgui.render()


def navigate_again() -> None:
    """Let keys go from widget to widget again once Alt is up; call it at the end of each frame."""
    io = imgui.get_io()
    if not io.key_alt:
        io.config_flags |= _NAVIGATION


def _imgui_has_some() -> bool:
    return len(imgui.get_current_context().input_events_queue) > 0


def _keeps_typing(event: dict[str, Any]) -> bool:
    """Whether a text field that is typed into certainly still is after the event."""
    key = event.get("key", "")
    return event["event_type"] in ("char", "pointer_move") or len(key) == 1 or key == "Shift"


def _hand_on(event: dict[str, Any]) -> None:
    io = imgui.get_io()
    match event["event_type"]:
        case "pointer_move":
            io.add_mouse_pos_event(event["x"], event["y"])
        case "pointer_leave":
            io.add_mouse_pos_event(_NOWHERE, _NOWHERE)
        case "pointer_down" | "pointer_up" as kind:
            io.add_mouse_button_event(event["button"] - 1, kind == "pointer_down")
        case "wheel":
            io.add_mouse_wheel_event(event["dx"] / 100, -event["dy"] / 100)
        case "char":
            io.add_input_characters_utf8(event.get("data") or event.get("char_str") or "")
        case "key_down" | "key_up" as kind:
            _hand_on_key(event["key"], kind == "key_down")


def _hand_on_key(name: str, down: bool) -> None:
    io = imgui.get_io()
    key = _KEYS.get(name if len(name) > 1 else name.lower())
    if key is not None:
        io.add_key_event(key, down)
    if name in _MODIFIERS:
        io.add_key_event(_MODIFIERS[name], down)
    if name == "Alt" and down:
        io.config_flags &= ~_NAVIGATION  # Alt and an arrow are an action; imgui would go on to another widget, too
