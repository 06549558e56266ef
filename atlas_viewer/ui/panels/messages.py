"""Messages over the bottom of the window: errors until they are dismissed, and where a picture was saved."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.state import State
from atlas_viewer.ui import folders, theme, widget_tracking
from compute.errors import OutputError

from .toolbar import button_width
from .widgets import drawable, elided_start, tooltip

NAME = "Messages"

_WIDEST = 60.0  # ems
_GAP = 0.6  # distance to the edge of the window and between two messages, in ems
_SAVED_S = 10.0  # seconds for which the message about a saved picture is shown


@dataclass(frozen=True)
class _Message:
    """A message and its buttons: for each its label with id, and the reason why it is disabled."""

    name: str
    text: str
    ink: ImVec4
    back: ImVec4
    border: ImVec4
    buttons: Sequence[tuple[str, str]]
    one_line: bool = False  # shorten the text at its start instead of wrapping it


def draw(state: State) -> None:
    """Draw the latest message, if any, over the panels, without moving them."""
    viewport = imgui.get_main_viewport()
    floor = viewport.work_pos.y + viewport.work_size.y - theme.em(_GAP)  # above the timeline
    now = theme.now
    if state.messages:
        more = f"  (and {len(state.messages) - 1} more)" if len(state.messages) > 1 else ""
        text = drawable(state.messages[-1]) + more
        message = _Message(NAME, text, now.error, now.error_back, now.error, [("Dismiss###Dismiss", "")])
        pressed, floor = _box(message, floor)
        if pressed:
            state.messages.clear()
    _saved(state, floor)


def _saved(state: State, floor: float) -> None:
    """Draw the path of the picture just saved. It disappears after a while, with the next frame."""
    ui = state.ui
    if ui.saved and state.live and time.monotonic() > ui.saved_at + _SAVED_S:
        ui.saved = ""
    if not ui.saved:
        return
    buttons = [
        ("Copy path###Copy path##saved", ""),
        ("Open folder###Open folder##saved", folders.problem()),
        ("Dismiss###Dismiss##saved", ""),
    ]
    text = f"Saved {drawable(ui.saved)}"
    message = _Message("Saved", text, theme.now.text, theme.now.raised, theme.now.accent, buttons, one_line=True)
    pressed, _ = _box(message, floor)
    if pressed.startswith("Copy"):
        imgui.set_clipboard_text(ui.saved)
    elif pressed.startswith("Open"):
        try:
            folders.open_folder(Path(ui.saved).parent)
        except OutputError as error:
            state.messages.append(str(error))
    if pressed:
        ui.saved = ""


def _box(message: _Message, floor: float) -> tuple[str, float]:
    """Draw a message above `floor`. Returns the label of the button pressed, and the floor for a message above it."""
    viewport, style = imgui.get_main_viewport(), imgui.get_style()
    labels = [label.partition("###")[0] for label, _ in message.buttons]
    controls = sum(button_width(label) + style.item_spacing.x for label in labels)
    most = min(theme.em(_WIDEST), viewport.size.x - 2 * theme.em(_GAP)) - controls - 2 * style.window_padding.x
    most = max(most, theme.em(4))
    text = elided_start(message.text, most) if message.one_line else message.text
    width = max(min(imgui.calc_text_size(text).x, most), theme.em(4))
    imgui.set_next_window_pos(ImVec2(viewport.get_center().x, floor), imgui.Cond_.always, ImVec2(0.5, 1.0))
    flags = imgui.WindowFlags_
    kind = flags.no_decoration | flags.always_auto_resize | flags.no_move | flags.no_docking | flags.no_saved_settings
    imgui.push_style_var(imgui.StyleVar_.window_border_size, 1.0)
    with (
        theme.colored(imgui.Col_.window_bg, message.back),
        theme.colored(imgui.Col_.border, message.border),
    ):
        imgui.begin(f"##{message.name}", None, kind | flags.no_focus_on_appearing | flags.no_nav)
    imgui.pop_style_var()
    imgui.internal.bring_window_to_display_front(imgui.internal.get_current_window())
    left = imgui.get_cursor_pos_x()
    imgui.align_text_to_frame_padding()
    imgui.push_text_wrap_pos(left + width + 1)
    imgui.text_colored(message.ink, text)
    imgui.pop_text_wrap_pos()
    if text != message.text:
        tooltip(message.text)
    pressed = _buttons(message, left + width + style.item_spacing.x)
    top = imgui.get_window_pos().y
    imgui.end()
    return pressed, top - theme.em(_GAP)


def _buttons(message: _Message, left: float) -> str:
    """Draw the buttons, from `left` on. Returns the label of the one pressed, or an empty text."""
    pressed = ""
    for at, (label, problem) in enumerate(message.buttons):
        imgui.same_line(left if not at else 0.0)
        imgui.begin_disabled(bool(problem))
        if widget_tracking.button(label, ImVec2(button_width(label.partition("###")[0]), 0)):
            pressed = label
        imgui.end_disabled()
        tooltip(problem)
    return pressed
