"""What the window records, at the right end of the menu bar. A click leads to the panel that controls it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.quoting import counted
from atlas_viewer.state.recording_state import RecordingState
from atlas_viewer.state.state import State
from atlas_viewer.ui import panel_titles, theme, widget_tracking

from .widgets import drawable, packed, tooltip

_DOT = 0.28  # ems
_GAP = 1.0  # ems, between two signs


@dataclass(frozen=True)
class Sign:
    """One activity: `parts` from the most to the least important, of which as many are drawn as fit."""

    identity: str
    parts: tuple[str, ...]
    tip: str
    trouble: bool = False


def signs(recording: RecordingState) -> list[Sign]:
    """The recording and the video in progress."""
    found = []
    recorder, video = recording.recorder, recording.video
    if recorder.on:
        progress = {"preparing": "preparing", "finishing": "finishing"}.get(recorder.stage)
        parts = ("Recording", progress or f"{counted(recorder.steps, 'step')} written", PurePath(recorder.path).name)
        tip = recorder.trouble or f"Recording runs to {recorder.path}. Ctrl+R stops it."
        found.append(Sign("sign recording", parts, tip, bool(recorder.trouble)))
    if video.stage:
        progress = "finishing" if video.stage == "finishing" else counted(video.frames, "frame")
        tip = video.trouble or f"Recording the window to {video.path}. Shift+F12 stops it."
        found.append(Sign("sign video", ("Video", progress, PurePath(video.path).name), tip, bool(video.trouble)))
    return found


def fitted(signs: list[Sign], fits: list[list[float]], width: float) -> list[int]:
    """How many parts of each sign to draw within `width`. fits: the width of each sign by its number of parts, from 1.

    Signs lose their last parts one after the other, beginning with the longest sign; one part always stays.
    """
    counts = [len(sign.parts) for sign in signs]
    while sum(fits[at][count - 1] for at, count in enumerate(counts)) > width and max(counts, default=1) > 1:
        longest = max((at for at, count in enumerate(counts) if count > 1), key=lambda at: fits[at][counts[at] - 1])
        counts[longest] -= 1
    return counts


def least_width(state: State) -> float:
    """The width that the signs need at least, in pixels."""
    return sum(_width(_text(sign, 1)) for sign in signs(state.recording))


def draw(state: State) -> None:
    """Draw the signs; call it after the menus, within the menu bar."""
    shown = signs(state.recording)
    if not shown:
        return
    widths = [[_width(_text(sign, count)) for count in range(1, len(sign.parts) + 1)] for sign in shown]
    left, right = imgui.get_cursor_pos_x(), imgui.get_window_width()
    counts = fitted(shown, widths, right - left - theme.em(_GAP))
    total = sum(widths[at][count - 1] for at, count in enumerate(counts))
    imgui.set_cursor_pos_x(max(left, right - total - theme.em(_GAP / 2)))
    for sign, count in zip(shown, counts, strict=True):
        _draw(state, sign, _text(sign, count))


def _text(sign: Sign, count: int) -> str:
    return drawable("  ".join(sign.parts[:count]))


def _width(text: str) -> float:
    return float(imgui.calc_text_size(text).x + theme.em(4 * _DOT + _GAP))


def _draw(state: State, sign: Sign, text: str) -> None:
    size = ImVec2(_width(text), imgui.get_frame_height())
    corner = imgui.get_cursor_screen_pos()
    if widget_tracking.invisible_button(sign.identity, size):
        state.ui.front = "Session"
    hovered, painter = imgui.is_item_hovered(), imgui.get_window_draw_list()
    if hovered:
        painter.add_rect_filled(corner, ImVec2(corner.x + size.x, corner.y + size.y), packed(theme.now.raised))
    middle = corner.y + size.y / 2
    center = ImVec2(corner.x + theme.em(_GAP / 2 + _DOT), middle)
    painter.add_circle_filled(center, theme.em(_DOT), packed(theme.now.error))
    color = theme.now.error if sign.trouble else theme.now.text
    baseline = middle - imgui.get_text_line_height() / 2
    painter.add_text(ImVec2(corner.x + theme.em(_GAP / 2 + 3.2 * _DOT), baseline), packed(color), text)
    tooltip(f"{sign.tip}\nClick: show the {panel_titles.title('Session')} panel")
    imgui.same_line(0, 0)
