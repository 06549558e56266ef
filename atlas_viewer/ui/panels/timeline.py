"""The timeline, a bar along the bottom of the window: the steps of the run or recording on screen."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.recording_state import SPEEDS, PlaybackState
from atlas_viewer.state.requests import BackToRecording, CloseRecording, Continue, Pause
from atlas_viewer.state.state import State
from atlas_viewer.state.timeline import (
    Timeline,
    describe,
    go_by,
    go_to,
    played_back,
    span,
    step_at,
    tick_distance,
    timeline,
)
from atlas_viewer.state.ui_state import UiState
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.recording_actions import play_back

from .toolbar import button_width
from .widgets import dim, drawable, elided, packed, tooltip

NAME = "Timeline"

_LOWEST = 26.0  # ems: lower windows have no space for it
_PLAY, _SPEED, _FILE = 4.6, 4.6, 14.0  # ems
_WIDE = 64.0  # ems: narrower windows do not show the file's name
_PADDING = 0.25  # ems, above and below
_TICK = 3.0  # ems between two ticks, at least
_MARK = 0.32  # ems, half the width of a branch's mark


def height(ui: UiState) -> float:
    """The height of the bar in pixels; 0 where it is hidden."""
    if not ui.timeline or imgui.get_main_viewport().size.y < theme.em(_LOWEST):
        return 0.0
    return float(imgui.get_frame_height() + 2 * theme.em(_PADDING))


def draw(state: State) -> None:
    """Draw the bar, which takes its height from the panels. Call it before the panels are laid out."""
    viewport, style = imgui.get_main_viewport(), imgui.get_style()
    high = height(state.ui)
    if not high:
        return
    flags = imgui.WindowFlags_.no_scrollbar | imgui.WindowFlags_.no_scroll_with_mouse
    flags |= imgui.WindowFlags_.no_saved_settings | imgui.WindowFlags_.no_nav_inputs  # its arrow keys move the step
    gap = ImVec2(style.window_padding.x, theme.em(_PADDING))
    imgui.push_style_var(imgui.StyleVar_.window_padding, gap)
    with theme.colored(imgui.Col_.window_bg, theme.now.back_deep):
        shown = imgui.internal.begin_viewport_side_bar(NAME, viewport, imgui.Dir.down, high, flags)
    imgui.pop_style_var()
    if shown:
        line = timeline(state)
        if line is None:
            imgui.align_text_to_frame_padding()
            dim(state.loading or "no run")
        else:
            _keys(state)
            _bar(state, line)
    imgui.end()


def _keys(state: State) -> None:
    """The keys that move the step while the bar has the focus; Home, End and Space work everywhere."""
    io = imgui.get_io()
    if not imgui.is_window_focused() or io.key_ctrl or io.key_shift or io.key_alt:
        return
    if imgui.is_key_pressed(imgui.Key.left_arrow):
        go_by(state, -1)
    if imgui.is_key_pressed(imgui.Key.right_arrow):
        go_by(state, 1)


def _bar(state: State, line: Timeline) -> None:
    playback = played_back(state)
    if playback is None:
        _play_run(state)
    else:
        _play_recording(state, playback)
    imgui.same_line()
    count = f"{line.selected if playback is None else line.reached} of {line.total}"
    most = imgui.calc_text_size(f"{line.total} of {line.total}").x  # so that the track does not move
    imgui.align_text_to_frame_padding()
    left = imgui.get_cursor_pos_x()
    dim(count)
    imgui.same_line(left + most + imgui.get_style().item_spacing.x)
    ends = _ends(state, playback)
    _track(state, line, imgui.get_content_region_avail().x - ends)
    _end(state, playback)


def _play_run(state: State) -> None:
    run = state.run
    imgui.begin_disabled(not state.busy and (run is None or not run.paused))
    label = "Pause" if state.busy else "Play"
    if widget_tracking.button(f"{label}###timeline play", ImVec2(theme.em(_PLAY), 0)):
        state.requests.append(Pause() if state.busy else Continue())
    imgui.end_disabled()
    tooltip("Generate, or pause  Space")


def _play_recording(state: State, playback: PlaybackState) -> None:
    imgui.begin_disabled(not playback.count)
    label = "Pause" if playback.playing else "Play"
    if widget_tracking.button(f"{label}###timeline play", ImVec2(theme.em(_PLAY), 0)):
        play_back(state)
    imgui.end_disabled()
    tooltip("Play or pause the recording  Space")


# -- the right end: speed, file, and the ways back


def _back(state: State) -> tuple[str, str]:
    """Text and id of the button that leads back from what is on screen; empty texts if none does."""
    playback = state.recording.playback
    if playback is not None and playback.left:
        return "Back to the recording", "timeline recording"
    return ("Back to live", "timeline live") if state.recording.live else ("", "")


def _named(playback: PlaybackState | None) -> str:
    """The name of the recording on screen, as far as the window has space for it."""
    if playback is None or imgui.get_main_viewport().size.x < theme.em(_WIDE):
        return ""
    return elided(playback.file.replace("\\", "/").rpartition("/")[2], theme.em(_FILE))


def _ends(state: State, playback: PlaybackState | None) -> float:
    """The width of everything to the right of the track, in pixels."""
    gap, text, name = imgui.get_style().item_spacing.x, _back(state)[0], _named(playback)
    widths = [theme.em(_SPEED)] if playback is not None else []
    widths += [button_width(text)] if text else []
    widths += [imgui.calc_text_size(name).x] if name else []
    return sum(width + gap for width in widths)


def _end(state: State, playback: PlaybackState | None) -> None:
    if playback is not None:
        imgui.same_line()
        imgui.set_next_item_width(theme.em(_SPEED))
        if widget_tracking.begin_combo("##timeline speed", f"{playback.speed:g}x"):
            for speed in SPEEDS:
                if widget_tracking.selectable(f"{speed:g}x###timeline speed {speed:g}", speed == playback.speed)[0]:
                    playback.speed = speed
            imgui.end_combo()
        tooltip("Speed of playback")
    name = _named(playback)
    if name and playback is not None:
        imgui.same_line()
        imgui.text_colored(theme.now.error if playback.notice else theme.now.text_dim, name)
        tooltip("\n".join(filter(None, (playback.file, playback.notice))))
    text, identity = _back(state)
    if text:
        imgui.same_line()
        if widget_tracking.button(f"{text}###{identity}"):
            state.requests.append(BackToRecording() if identity == "timeline recording" else CloseRecording())
        if state.recording.live and identity == "timeline live":
            tooltip(f"Close the recording, and show {state.recording.live} with its runs  Ctrl+Shift+B")


# -- the track


def _track(state: State, line: Timeline, width: float) -> None:
    size = ImVec2(max(width, theme.em(2)), imgui.get_frame_height())
    low = imgui.get_cursor_screen_pos()
    high = ImVec2(low.x + size.x, low.y + size.y)
    widget_tracking.invisible_button("timeline track", size)
    under = step_at((imgui.get_mouse_pos().x - low.x) / size.x, line.total)
    if imgui.is_item_active():
        go_to(state, min(under, max(len(line.steps), 1)))
    _paint(line, low, high)
    if imgui.is_item_hovered() or imgui.is_item_active():
        left, right = _edges(under, line, low, high)
        imgui.get_window_draw_list().add_rect(ImVec2(left, low.y), ImVec2(right, high.y), packed(theme.now.text_dim))
        imgui.set_tooltip(drawable(describe(line, under)))


def _edges(number: int, line: Timeline, low: ImVec2, high: ImVec2) -> tuple[float, float]:
    """The left and right edge of a step, at least two pixels apart."""
    start, end = span(number, line.total)
    left = low.x + start * (high.x - low.x)
    return left, max(low.x + end * (high.x - low.x), left + 2)


def _paint(line: Timeline, low: ImVec2, high: ImVec2) -> None:
    painter, now = imgui.get_window_draw_list(), theme.now
    width = high.x - low.x
    painter.add_rect_filled(low, high, packed(now.field))
    for count, color in ((len(line.steps), now.raised_active), (line.reached, now.accent_dim)):
        if count:
            painter.add_rect_filled(low, ImVec2(_edges(count, line, low, high)[1], high.y), packed(color))
    every = tick_distance(line.total, width, theme.em(_TICK))
    for number in range(every, line.total + 1, every):
        x = round(low.x + number / line.total * width)
        painter.add_line(ImVec2(x, high.y - theme.em(0.4)), ImVec2(x, high.y), packed(now.text_dim))
    if line.selected:
        left, right = _edges(line.selected, line, low, high)
        painter.add_rect_filled(ImVec2(left, low.y), ImVec2(right, high.y), packed(now.accent))
    for number in {*line.branches, line.origin} - {0}:
        left, right = _edges(min(number, line.total), line, low, high)
        middle, half = (left + right) / 2, theme.em(_MARK)
        corners = (ImVec2(middle - half, low.y), ImVec2(middle + half, low.y), ImVec2(middle, low.y + 1.6 * half))
        painter.add_triangle_filled(*corners, packed(now.text if number in line.branches else now.text_dim))
    painter.add_rect(low, high, packed(now.line))
