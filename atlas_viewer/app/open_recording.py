"""A recording's window: immediately shows what was recorded, then the tensors once the model has been loaded."""

from __future__ import annotations

import wgpu
from rendercanvas.base import BaseRenderCanvas

from atlas_viewer.recording.player import Player
from atlas_viewer.recording.reader import Recording
from atlas_viewer.scene.scene_library import check_device
from atlas_viewer.state.state import State
from compute.forward.load_options import LoadOptions
from compute.gpu.device import is_software, shared_device
from compute.weights.checkpoint import WeightSource

from .canvas import open_window, share_clipboard, take_drops
from .dropped_files import open_dropped
from .open_window import WINDOW_SIZE
from .playback_switch import PlaybackSwitch
from .recorded_model_loading import loading_recorded_model
from .viewer import Viewer


def replay_window(
    recording: Recording,
    number: int | None,
    source: WeightSource | None,
    notice: str,
    load: LoadOptions,
    *,
    follow: bool = False,
) -> None:
    """Open a window that shows run `number` of the recording, or the last run if None; return when it is closed.

    source: the weights of the recorded model, closed at the end, or None with the reason in `notice`; follow: whether
    to show what another process adds to the file. Raises `AtlasError`s.
    """
    device = shared_device(load.adapter)
    check_device(device)
    canvas, run_loop = open_window(recording.path.name, WINDOW_SIZE, vsync=not is_software(device.adapter))
    state = State(recording.run(number).prompt, recording.run(number).options)
    viewer, player = open_player(canvas, device, state, recording, number)
    viewer.playbacks = PlaybackSwitch(viewer, load)
    player.playback.notice, player.playback.follow = notice, follow
    if source is not None:
        player.playback.notice = "The model is being loaded; Strip and Map will appear afterwards."
        viewer.load(loading_recorded_model(player, source, load), source.name)
    share_clipboard()
    take_drops(canvas, lambda paths: open_dropped(state, paths, models=False))
    try:
        run_loop(viewer.close_files)
    finally:
        if source is not None:
            source.close()
    if viewer.failure is not None:
        raise viewer.failure


def open_player(
    canvas: BaseRenderCanvas, device: wgpu.GPUDevice, state: State, recording: Recording, number: int | None
) -> tuple[Viewer, Player]:
    """A viewer on `canvas` that plays the recording without its model."""
    player = Player(recording, state, number)
    viewer = Viewer(canvas, device, state, None)
    state.ui.front = "Session"
    viewer.play_back(player)
    return viewer, player
