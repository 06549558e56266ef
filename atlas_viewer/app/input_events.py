"""Passes canvas events to imgui in order and without losing any, however many arrive between two frames."""

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
_OUTSIDE = -1e9  # a mouse position that hovers nothing
# Seconds that a frame may spend on queued input, and imgui's time step between two parts of it.
_INPUT_BUDGET = 0.1
_INSTANT = 1e-4


class Input:
    """Queues events until a frame processes them, and tracks the keys that are down.

    imgui processes one key or click per frame and queues the rest, so that a press and release within one frame do not
    go unnoticed. But it does not keep modifiers and keys in order: when Ctrl+O is pressed and released between two
    frames, it sees only an O. Modifiers therefore wait here until a frame has processed everything before them.
    """

    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque()
        self._held: set[str] = set()

    def add(self, event: dict[str, Any]) -> None:
        """Queue a canvas event. Events for imgui are not propagated."""
        kind = event["event_type"]
        if kind in ("key_down", "key_up"):
            self._track_key(event["key"], kind == "key_down")
        if kind not in ("resize", "pointer_enter"):
            self._events.append(dict(event))
            event["stop_propagation"] = True  # otherwise imgui's renderer would pass it on at once

    def _track_key(self, name: str, down: bool) -> None:
        key = name.lower()  # Shift may be pressed or released while a letter is held
        if down and name not in _MODIFIERS and name not in _LOCKS:
            self._held.add(key)
        elif not down:
            self._held.discard(key)

    @property
    def holding(self) -> bool:
        """True while a key other than a modifier is down. imgui repeats it only in frames, so more must be drawn."""
        return bool(self._held)

    @property
    def waiting(self) -> bool:
        """True while there is input that no frame of the current imgui context has processed yet."""
        return bool(self._events) or _imgui_has_some()

    def feed(self) -> None:
        """Pass on as much as one frame can process; call it before imgui's `new_frame`."""
        if _imgui_has_some():
            return
        io = imgui.get_io()
        plain = pressed = False
        # Text fields use the characters typed, not the keys, each of which would need a separate frame.
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
            _pass_on(event)

    def process(self, draw: Callable[[], object], may_continue: Callable[[], bool]) -> None:
        """Build a frame's widgets with `draw`, repeatedly until no input is waiting; the last ones are shown.

        This way a frame shows everything that was typed before it, even on a slow machine. Call it after `feed` and
        `new_frame`. may_continue: called before each repetition; if it returns False, the remaining input waits for the
        next frame.
        """
        until = time.perf_counter() + _INPUT_BUDGET
        draw()
        imgui.render()
        while self.waiting and may_continue() and time.perf_counter() < until:
            self.feed()
            repeat_frame(draw)


def repeat_frame(draw: Callable[[], object]) -> None:
    """Replace the frame's widgets with the ones `draw` builds now; almost no time passes for imgui."""
    imgui.get_io().delta_time = _INSTANT
    imgui.new_frame()
    draw()
    imgui.render()


def navigate_again() -> None:
    """Re-enable keyboard navigation between widgets once Alt has been released; call it at the end of each frame."""
    io = imgui.get_io()
    if not io.key_alt:
        io.config_flags |= _NAVIGATION


def _imgui_has_some() -> bool:
    return len(imgui.get_current_context().input_events_queue) > 0


def _keeps_typing(event: dict[str, Any]) -> bool:
    """True if a text field that has the focus is certain to keep it after the event."""
    key = event.get("key", "")
    return event["event_type"] in ("char", "pointer_move") or len(key) == 1 or key == "Shift"


def _pass_on(event: dict[str, Any]) -> None:
    io = imgui.get_io()
    match event["event_type"]:
        case "pointer_move":
            io.add_mouse_pos_event(event["x"], event["y"])
        case "pointer_leave":
            io.add_mouse_pos_event(_OUTSIDE, _OUTSIDE)
        case "pointer_down" | "pointer_up" as kind:
            io.add_mouse_button_event(event["button"] - 1, kind == "pointer_down")
        case "wheel":
            io.add_mouse_wheel_event(event["dx"] / 100, -event["dy"] / 100)
        case "char":
            io.add_input_characters_utf8(event.get("data") or event.get("char_str") or "")
        case "key_down" | "key_up" as kind:
            _pass_on_key(event["key"], kind == "key_down")


def _pass_on_key(name: str, down: bool) -> None:
    io = imgui.get_io()
    key = _KEYS.get(name if len(name) > 1 else name.lower())
    if key is not None:
        io.add_key_event(key, down)
    if name in _MODIFIERS:
        io.add_key_event(_MODIFIERS[name], down)
    if name == "Alt" and down:
        io.config_flags &= ~_NAVIGATION  # Alt plus an arrow key is an action; imgui would also move to another widget
