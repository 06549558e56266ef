"""Parses keys as people write them into imgui's names, and runs the actions whose keys are pressed."""

from __future__ import annotations

import functools

from imgui_bundle import imgui

from atlas_viewer.state.state import State

from .action import Action
from .actions import ACTIONS

_KEYS = {
    "Enter": imgui.Key.enter, "Space": imgui.Key.space, "Backspace": imgui.Key.backspace, "Escape": imgui.Key.escape,
    "Tab": imgui.Key.tab, "Delete": imgui.Key.delete,
    "End": imgui.Key.end, "Home": imgui.Key.home, "Up": imgui.Key.up_arrow,
    "Down": imgui.Key.down_arrow, "Left": imgui.Key.left_arrow, "Right": imgui.Key.right_arrow,
    ".": imgui.Key.period, ",": imgui.Key.comma, "/": imgui.Key.slash, "[": imgui.Key.left_bracket,
    "PageUp": imgui.Key.page_up, "PageDown": imgui.Key.page_down, "]": imgui.Key.right_bracket,
    "+": imgui.Key.equal, "-": imgui.Key.minus,
}  # fmt: skip
# Number pad keys with the same meaning.
_PAD = {"+": imgui.Key.keypad_add, "-": imgui.Key.keypad_subtract, "Enter": imgui.Key.keypad_enter}
_MODIFIERS = ("Ctrl", "Shift", "Alt")
# These keys and chords repeat while held down.
_REPEATED = {"+", "-", "[", "]", ".", "Backspace", "X", "O", "H", "Ctrl+Left", "Ctrl+Right", "Ctrl+Up", "Ctrl+Down"}


@functools.cache
def parts(chord: str) -> tuple[frozenset[str], str]:
    """Modifiers and key of a chord. Raises ValueError when it is not a chord."""
    # The key may be + itself.
    modifiers, key = (chord[:-1], "+") if chord.endswith("+") else chord.rpartition("+")[::2]
    held = frozenset(part for part in modifiers.split("+") if part)
    if not key or not held <= set(_MODIFIERS):
        raise ValueError(f"{chord!r} is not a chord")
    return held, key


def imgui_key(name: str) -> imgui.Key:
    """imgui's key of this name. Raises ValueError for an unknown name."""
    if name in _KEYS:
        return _KEYS[name]
    try:
        return imgui.Key[f"_{name}" if name.isdigit() else name.lower()]
    except KeyError:
        raise ValueError(f"{name!r} is not a key") from None


def pressed(chord: str) -> bool:
    """True in the frame in which the chord is pressed; repeatedly while certain keys are held."""
    modifiers, name = parts(chord)
    io = imgui.get_io()
    # Some keyboards need Shift for +.
    shift = "Shift" in modifiers if name != "+" else bool(io.key_shift)
    if (io.key_ctrl, io.key_shift, io.key_alt) != ("Ctrl" in modifiers, shift, "Alt" in modifiers):
        return False
    repeat = name in _REPEATED or chord in _REPEATED
    if imgui.is_key_pressed(imgui_key(name), repeat):
        return True
    return name in _PAD and imgui.is_key_pressed(_PAD[name], repeat)


def handle(state: State) -> None:
    """Run the actions whose keys are pressed in this frame."""
    io = imgui.get_io()
    _release(state)
    for action in ACTIONS:
        if not action.chord or not pressed(action.chord) or not _applies(state, action, io):
            continue
        action.run(state)
        if action.release is not None:
            state.ui.held_action = action.name


def _release(state: State) -> None:
    """End an action that lasts as long as its key is held, once it is up or the window has lost the keyboard."""
    held = next((action for action in ACTIONS if action.name == state.ui.held_action), None)
    if held is None or held.release is None or imgui.is_key_down(imgui_key(parts(held.chord)[1])):
        return
    state.ui.held_action = ""
    held.release(state)


def _applies(state: State, action: Action, io: imgui.IO) -> bool:
    if not action.possible(state):
        return False
    if action.anywhere:
        return True
    # While a widget has the keyboard focus, Space presses it.
    if io.nav_visible and action.chord in ("Space", "Escape"):
        return False
    if state.walks.focused and state.walks.source is not None and action.chord in ("Space", "Backspace"):
        return False  # they turn the pages of the walk
    return not io.want_text_input and not state.ui.dialog
