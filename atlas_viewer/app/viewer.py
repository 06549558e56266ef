"""The frame loop: connects the run controller to Strip, Map and the panels."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wgpu
from imgui_bundle import ImVec2, imgui
from rendercanvas.base import BaseRenderCanvas

from atlas_viewer.recording.player import Player
from atlas_viewer.state.protocols import GenerationLike, ModelLike
from atlas_viewer.state.requests import BackToRecording, Pause, Request, Screenshot, ShowRun
from atlas_viewer.state.settings import SettingsStore
from atlas_viewer.state.state import State
from atlas_viewer.tour.player import Tour
from atlas_viewer.tour.recorder import TourRecorder
from atlas_viewer.ui import file_dialogs, fonts, panels, theme
from atlas_viewer.ui.services import Services
from compute.errors import AtlasError
from compute.gpu.device import device_error, is_software
from compute.gpu.loading import Loading

from .canvas import draw_frame, imgui_on, release, target_format, window_title
from .displays import Displays
from .frame_pacer import FramePacer
from .input_events import EVENTS, Input, navigate_again, repeat_frame
from .inspection_updater import InspectionUpdater
from .model_loading import ModelLoading
from .model_switch import ModelSwitch, forget_runs
from .recording_controls import RecordingControls
from .run_controller import RunController
from .screenshot import FrameReadback, Pictures
from .tensor_saving import TensorSaving
from .tour_waits import reached

if TYPE_CHECKING:
    from .playback_switch import PlaybackSwitch

_SETTLE = 3  # frames that imgui needs to settle the positions and sizes of docked panels
# Loading begins after this many frames: the first is on screen when the second begins.
_LOADING_FRAMES = 2
# How many seconds to keep drawing after the frame that shows an event: tooltips are delayed, and imgui needs several
# frames to settle sizes.
_AWAKE = 0.4


class Viewer:
    """Draws the state on a canvas and carries out the panels' requests.

    The model is loaded in the steps of `load`, several per frame, after a first frame that announces it; then the
    prompt is run. Without `load`, the caller supplies a run with `show`.
    """

    def __init__(
        self, canvas: BaseRenderCanvas, device: wgpu.GPUDevice, state: State, load: Loading[ModelLike] | None
    ) -> None:
        """Make `frame` the canvas's draw function."""
        self.canvas, self.state = canvas, state
        self.failure: BaseException | None = None
        self.controller: RunController | None = None
        self.settings_store: SettingsStore | None = None  # in a window; saves the settings
        self._device, self.loading = device, ModelLoading(state, load)
        self._gui = imgui_on(canvas, device)
        theme.apply()
        fonts.load()
        imgui.load_ini_settings_from_memory(state.ui.layout)
        io = imgui.get_io()
        io.config_flags |= imgui.ConfigFlags_.docking_enable
        io.config_input_text_cursor_blink = False  # blinking alone must not draw frames
        self._pace = FramePacer(is_software(device.adapter))
        self.updater: InspectionUpdater | None = None
        self._displays = Displays(state, device, self._gui.backend)
        self._pictures = Pictures(self._gui, device, target_format(canvas, device), state)
        self.recordings = RecordingControls(state, self._frame_picture)
        self._saving = TensorSaving(state)
        self.player: Player | None = None  # of a recording
        self.tour: Tour | None = None
        self.recorder: TourRecorder | None = None
        self.switch: ModelSwitch | None = None
        self.playbacks: PlaybackSwitch | None = None
        self._frames = 0
        self._last_frame = self._awake_until = time.perf_counter()
        self._input = Input()
        self._repeats = False  # the widgets show a texture that has been replaced
        self._asked = 0  # number of requests when the panels were last drawn; a new one is handled before more input
        self._touched = False  # by an event whose effect no frame shows yet
        canvas.add_event_handler(self._on_event, *EVENTS, order=-200)
        canvas.add_event_handler(self._on_close, "close")
        canvas.request_draw(self.frame)

    def load(self, load: Loading[ModelLike], name: str) -> None:
        """Take the steps of `load`, several per frame, and show the resulting model."""
        self.loading.begin(load, name)

    def show(self, model: ModelLike, generation: GenerationLike, prompt: str) -> None:
        """Show and advance `generation`, which may already have ended, as the current run."""
        self.use(model).adopt(generation, prompt)
        self._follow_engine()
        if generation.done:
            self._passed()

    def use(self, model: ModelLike) -> RunController:
        """The run controller of `model`, which the window shows from now on."""
        if self.controller is None or self.controller.model is not model:
            self.controller = RunController(model, self.state)
        return self.controller

    def forget_model(self) -> None:
        """Prepare for another model: nothing of the present one is used again."""
        self.controller = self.updater = None

    def _follow_engine(self) -> None:
        """Show the tensors of the current engine, which may be a new one after a run with a longer context."""
        assert self.controller is not None
        model, updater = self._displays.shown(self.controller.model), self.updater
        self.state.model = self.controller.model.summary
        reader = model.tensor_reader
        if reader is not None and (updater is None or updater.tensor_reader is not reader):
            self.updater = InspectionUpdater(reader, self.state)
        self._displays.follow(model)

    def _settle(self) -> None:
        """Let imgui lay out the panels in frames that are not shown, so that no panel appears in the wrong position."""
        imgui.get_io().display_size = ImVec2(*self.canvas.get_logical_size())
        for _ in range(_SETTLE):
            theme.follow(self.state.ui)
            imgui.new_frame()
            self._panels()
            imgui.render()

    def _panels(self) -> None:
        strip, map_picture = self._displays.pictures
        tokenizer = self.controller.model.tokenizer if self.controller is not None else None
        panels.draw_all(self.state, Services(strip, map_picture, *self._displays.attention, tokenizer))
        navigate_again()

    def _widgets(self) -> None:
        """Build a frame's widgets; then draw their pictures with the resulting sizes and cameras."""
        self._input.process(self._panels, lambda: len(self.state.requests) == self._asked)
        self._repeats = self._displays.draw()
        if self._repeats and not self._input.waiting:
            # Otherwise the frame would show a picture of the old size, or none.
            repeat_frame(self._panels)
            self._repeats = self._displays.draw()

    @property
    def preparing(self) -> bool:
        """True while frames load or compile what later ones use: the model, Map, kernels of formulas."""
        return self.updater is None or self.updater.preparing or self._displays.preparing

    # -- one frame

    def frame(self) -> None:
        """Draw one frame. A failure that is not a user error closes the window and is stored in `failure`."""
        try:
            self._frame()
        except Exception as error:
            self.failure = device_error(error) or error
            self.canvas.close()

    def _frame(self) -> None:
        now = time.perf_counter()
        interval, self._last_frame = now - self._last_frame, now
        imgui.set_current_context(self._gui.imgui_context)
        imgui.get_io().delta_time = min(max(interval, 1e-4), 0.1)
        self._pace.frame(interval, self.state.busy, self.state.patching.busy, self.state.pass_seconds)
        self.state.frame_ms, self.state.fps = 1e3 * self._pace.frame_s, self._pace.per_second
        if not self._frames:
            self._settle()
        self._frames += 1
        if self._frames > _LOADING_FRAMES:
            self._continue_loading()
        if self.switch is not None and not self._saving.pending:  # saving reads the model's file
            self._change_model(self.switch)
        if self.controller is not None:
            self._answer(self.controller)
            self._saving.frame(self.controller)
            self._advance(self.controller, now)
        self.state.pace.frame(now, interval if self._pace.frame_s else 0.0, self.state.run if self.state.busy else None)
        theme.follow(self.state.ui)
        if self._touched:
            # Measured from now, not from the event: this frame may be late, and what its panels change shows only in
            # the next one.
            self._touched, self._awake_until = False, now + _AWAKE
        awake = self._wants_frames(now)
        if not awake:
            self.state.fps = self.state.frame_ms = 0.0
        self._asked = len(self.state.requests)
        self._input.feed()
        back = (theme.now.back.x, theme.now.back.y, theme.now.back.z)
        draw_frame(self._gui, self.canvas, self._device, self._widgets, back)
        if self.updater is not None:
            self.updater.drawn()
        if self.settings_store is not None:
            self.settings_store.frame(now, imgui.is_any_mouse_down())
        self.recordings.frame(now)
        self._pictures.frame(back)
        if self.recorder is not None:
            self.recorder.frame()
        if self.tour is not None:
            self._play(self.tour)
        if self.state.ui.quitting:
            self.canvas.close()
        elif awake or self.state.requests or self._input.waiting or self._repeats:
            self.canvas.request_draw()

    def _wants_frames(self, now: float) -> bool:
        """True while more frames must be drawn even without an event."""
        busy = self.loading.pending or self.controller is None or self.controller.pending
        busy = busy or bool(self.state.requests) or self._input.holding or file_dialogs.pending()
        busy = busy or self._displays.pending or self.tour is not None
        busy = busy or self._pictures.pending or self.recordings.pending or self._saving.pending
        parts = (self.player, self.switch, self.updater)
        return busy or now < self._awake_until or any(part is not None and part.pending for part in parts)

    def _continue_loading(self) -> None:
        """Take the next steps of loading the model, and show it once it is complete."""
        model = self.loading.frame()
        if model is None:
            return
        self.use(model)
        if self.player is None:
            # Before requests that came while the model was loading, for example to open a recording.
            self.state.requests.appendleft(self.state.generation)

    def _change_model(self, switch: ModelSwitch) -> None:
        """Show the new model once it has been loaded, and forget what belongs to the previous one."""
        model = switch.frame()
        if model is None or self.controller is None:
            return
        if self.playbacks is not None:
            self.playbacks.leave()
        self.controller.do(Pause())
        self.recordings.end_recording()  # a recording contains runs of one model
        self.controller.model.close()
        self.forget_model()
        forget_runs(self.state, model.summary.positions)
        self.use(model)
        self.canvas.set_title(window_title(model.summary.name))
        self.state.generate()

    def _advance(self, controller: RunController, now: float) -> None:
        try:
            if self.player is not None:
                self.player.frame(now)
            changed = controller.advance(now, self._pace.budget)
        except AtlasError as error:
            controller.fail(error)
            return
        self._follow_engine()
        if changed:
            self._passed()
        if self.updater is not None and self.updater.mapping_changed():
            self._displays.mapping_changed()
        idle = not self.state.busy
        # The last pass is always shown; earlier ones are shown as often as the adapter can afford.
        interval = 0.0 if idle else self._pace.display_interval
        self._displays.frame(controller, self.updater, now, interval, self._pace.budget)
        if self.updater is not None:
            self.updater.frame(now, controller.pass_complete, idle)

    def _passed(self) -> None:
        """Announce that a new pass is complete."""
        assert self.controller is not None
        self._displays.passed(self.controller.model)
        if self.updater is not None:
            self.updater.passed()

    # -- requests

    def _answer(self, controller: RunController) -> None:
        while self.state.requests:
            request = self.state.requests.popleft()
            if (self.switch is not None and self.switch.do(request)) or self._saving.do(controller, request):
                continue
            if isinstance(request, Screenshot):
                self._pictures.save(request.path)
                continue
            try:
                self._do(controller, request)
            except AtlasError as error:
                controller.fail(error)

    def _do(self, controller: RunController, request: Request) -> None:
        if self.playbacks is not None and self.playbacks.do(request):
            return
        controller = self.controller or controller
        if isinstance(request, BackToRecording) and self.player is not None:
            controller.do(ShowRun(self.player.run.number))
            self.player.back()
        elif not self.recordings.do(controller.model, request):
            controller.do(request)

    # -- recordings

    def _frame_picture(self) -> FrameReadback:
        back, texture_format = theme.now.back, target_format(self.canvas, self._device)
        return FrameReadback(self._gui, self._device, texture_format, (back.x, back.y, back.z))

    def play_back(self, player: Player) -> None:
        """Show a recording, at first without its model."""
        self.player = player
        self.use(player.model)
        self._follow_engine()
        player.show()

    # -- tours

    def play(self, steps: list[dict[str, Any]], folder: Path) -> None:
        """Play a tour, save its pictures in `folder`, and close the window at its end."""
        self.state.live = False
        self.tour = Tour(
            steps,
            send=self.canvas.submit_event,
            resize=lambda width, height: self.canvas.set_logical_size(width, height),
            picture=lambda name: self._pictures.request(str(folder / f"{name}.png")),
            reached=self._reached,
        )

    def _play(self, tour: Tour) -> None:
        tour.frame()
        if tour.done and not self._pictures.pending:
            self.canvas.close()

    def _reached(self, step: dict[str, Any]) -> bool:
        parts = (self.updater, self._displays, self._pictures)
        return reached(step, self.state, self.controller, pending=any(part and part.pending for part in parts))

    def _on_close(self, _event: dict[str, Any]) -> None:
        """Release what would outlive the window: imgui's context with its fonts, the pictures and the scene."""
        file_dialogs.close()
        self.updater = None
        self._displays.close()
        self.close_files()
        release(self._gui)

    def close_files(self) -> None:
        """Complete the recording and the video, and remove the unfinished file of tensors. Blocks."""
        self._saving.close()
        self.recordings.close()

    def _on_event(self, event: dict[str, Any]) -> None:
        if self.recorder is not None:
            self.recorder.event(event)
        self._input.add(event)
        self._touched = True
        self.canvas.request_draw()
