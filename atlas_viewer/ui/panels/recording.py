"""The Recording panel: records runs, makes videos of the window, and plays recordings."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer.state.quoting import counted
from atlas_viewer.state.recording_state import LOGITS_TYPES, SPEEDS, PlaybackState
from atlas_viewer.state.requests import BackToRecording, CloseRecording, OpenRecording
from atlas_viewer.state.state import State
from atlas_viewer.ui import theme, widget_tracking
from atlas_viewer.ui.file_actions import choose_recording, name_recording, name_video
from atlas_viewer.ui.recording_actions import play_back, record, record_video, seek

from .widgets import beside, browse_button, browse_width, dim, elided, elided_start, hint, packed, tooltip, wrapped

NAME = "Session"

_LABELS = 5.6  # ems
_PLAY = 8.0  # ems
_BEHIND = 2  # waiting entries that are not worth mentioning
_STAGES = {"preparing": "reading the weights ...", "finishing": "finishing the file ..."}
_LOGITS = {"f16": "as float16", "f32": "as float32", "none": "not recorded"}


def draw(state: State) -> None:
    """Draw the timeline of the recording on screen, if any, then the controls for recording, video and opening."""
    playback = state.recording.playback
    if playback is not None:
        _timeline(state, playback)
        imgui.separator()
    _recording(state)
    imgui.separator()
    _video(state)
    imgui.separator()
    _other(state)


def _label(text: str) -> None:
    imgui.align_text_to_frame_padding()
    dim(text)
    imgui.same_line(theme.em(_LABELS))
    imgui.set_next_item_width(-1)


def _status(text: str, trouble: str, stage: str = "") -> None:
    """Draw one line of status; an error is shown in full."""
    if trouble:
        wrapped(trouble, theme.now.error)
    elif stage or text:
        fitting = elided(stage or text, imgui.get_content_region_avail().x)
        dim(fitting)
        if fitting != (stage or text):
            tooltip(stage or text)


# -- recording


def _recording(state: State) -> None:
    recorder = state.recording.recorder
    imgui.begin_disabled(state.model is None or recorder.stage in _STAGES)
    if _switch("Stop recording###Stop recording##session" if recorder.on else "Record###Record##session", recorder.on):
        record(state)
    imgui.end_disabled()
    tooltip("Ctrl+R")
    behind = f", {recorder.waiting} waiting" if recorder.waiting > _BEHIND else ""
    _status(
        f"{counted(recorder.steps, 'step')} written{behind}" if recorder.on else recorder.note,
        recorder.trouble,
        _STAGES.get(recorder.stage, ""),
    )
    imgui.begin_disabled(recorder.on)
    _label("File")
    imgui.set_next_item_width(-browse_width() - imgui.get_style().item_spacing.x)
    _, recorder.path = widget_tracking.input_text("##session file", recorder.path)
    tooltip("A name without a folder is saved in the current folder. Existing files are never replaced.")
    imgui.same_line()
    browse_button("browse session file", lambda: name_recording(state), "Choose where to save the recording")
    _label("Logits")
    if widget_tracking.begin_combo("##session logits", _LOGITS[recorder.logits]):
        for name in LOGITS_TYPES:
            if widget_tracking.selectable(f"{_LOGITS[name]}###logits {name}", name == recorder.logits)[0]:
                recorder.logits = name
        imgui.end_combo()
    tooltip("All logits of every step; as float16 about 100 kB per step")
    _label("Statistics")
    _, recorder.statistics = widget_tracking.checkbox("of every tensor###session statistics", recorder.statistics)
    tooltip("Range, mean, and counts of NaN and infinity, of every tensor at every step")
    imgui.end_disabled()


def _switch(label: str, on: bool) -> bool:
    """Draw a full-width button, with a red dot if `on`."""
    with theme.colored(imgui.Col_.button, theme.now.error_back if on else theme.now.raised):
        pressed = bool(widget_tracking.button(label, ImVec2(-1, 0)))
    if on:
        low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
        middle = ImVec2(low.x + theme.em(0.8), (low.y + high.y) / 2)
        imgui.get_window_draw_list().add_circle_filled(middle, theme.em(0.28), packed(theme.now.error))
    return pressed


def _video(state: State) -> None:
    video = state.recording.video
    on = bool(video.stage)
    imgui.begin_disabled(video.stage in _STAGES)
    label = "Stop the video###Stop the video##video" if on else "Record a video###Record the window##video"
    if _switch(label, on):
        record_video(state)
    imgui.end_disabled()
    tooltip("Shift+F12")
    dropped = f", {video.dropped} dropped" if video.dropped else ""
    text = counted(video.frames, "frame") if on else video.note
    _status(f"{text}{dropped}" if text else "", video.trouble, _STAGES.get(video.stage, ""))
    imgui.begin_disabled(on)
    _label("Video")
    imgui.set_next_item_width(-browse_width() - imgui.get_style().item_spacing.x)
    _, video.path = widget_tracking.input_text("##video file", video.path)
    tooltip("A video of the whole window: .mp4, .mkv or .webm")
    imgui.same_line()
    browse_button("browse video file", lambda: name_video(state), "Choose where to save the video")
    imgui.end_disabled()


def _other(state: State) -> None:
    """Draw the field for opening another recording."""
    recording = state.recording
    _label("Open")
    imgui.set_next_item_width(-browse_width() - imgui.get_style().item_spacing.x)
    if recording.typing:
        recording.typing = False
        imgui.set_keyboard_focus_here()
    entered, recording.other = widget_tracking.input_text_with_hint(
        "##recording to open", "a recording, .atlas", recording.other, imgui.InputTextFlags_.enter_returns_true
    )
    tooltip("Enter opens the recording; the live model and its runs stay in memory")
    if entered and recording.other.strip():
        state.requests.append(OpenRecording(recording.other.strip()))
    imgui.same_line()
    browse_button("browse recording", lambda: choose_recording(state), "Choose a recording to open")


# -- playing back


def _timeline(state: State, playback: PlaybackState) -> None:
    width = imgui.get_content_region_avail().x
    imgui.text(elided_start(playback.file, width))
    if playback.notice:
        hint(playback.notice)
    if state.recording.live:
        back = elided(f"Back to the live model, {state.recording.live}", width - theme.em(1))
        if widget_tracking.button(f"{back}###Back to the live model", ImVec2(-1, 0)):
            state.requests.append(CloseRecording())
    if playback.left:
        hint("The window shows something other than the recording.")
        if widget_tracking.button("Back to the recording###Back to the recording", ImVec2(-1, 0)):
            state.requests.append(BackToRecording())
        return
    imgui.begin_disabled(not playback.count)
    for label, arrow, offset in (("##step back", imgui.Dir.left, -1), ("##step on", imgui.Dir.right, 1)):
        if widget_tracking.arrow_button(label, arrow):
            seek(offset)(state)
        tooltip("Previous and next step  Alt+, and Alt+.")
        imgui.same_line()
    playing = playback.playing
    label = "Pause###Hold recording##playback" if playing else "Play###Play recording##playback"
    if widget_tracking.button(label, ImVec2(theme.em(_PLAY), 0)):
        play_back(state)
    tooltip("Shift+Space")
    imgui.same_line()
    imgui.set_next_item_width(-1)
    if widget_tracking.begin_combo("##speed", f"{playback.speed:g}x"):
        for speed in SPEEDS:
            if widget_tracking.selectable(f"{speed:g}x##speed {speed:g}", speed == playback.speed)[0]:
                playback.speed = speed
        imgui.end_combo()
    imgui.set_next_item_width(-1)
    most = max(playback.count, 1)
    text = f"%d of {counted(playback.count, 'step')}"
    moved, position = widget_tracking.slider_int("##timeline", playback.position, min(1, playback.count), most, text)
    if moved:
        playback.playing, playback.seek = False, position
    imgui.end_disabled()
    of = f", run {playback.run} of {playback.runs}" if playback.runs > 1 else ""
    dim(elided(f"{playback.time:.1f} of {playback.length:.1f} s{of}", imgui.get_content_region_avail().x))
    _, playback.follow = widget_tracking.checkbox("Follow###Follow live##follow", playback.follow)
    tooltip("Show new steps while another process is writing the file")
    beside(theme.em(9))
    _, playback.camera = widget_tracking.checkbox("Camera###Camera##camera", playback.camera)
    tooltip("Follow the recorded camera; ends when you move Strip or Map, or switch between them")
    if playback.event:
        dim(elided(f"last action: {playback.event}", imgui.get_content_region_avail().x))
        tooltip("The last action in the interface up to this step")
