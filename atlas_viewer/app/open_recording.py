"""A recording's window: immediately shows what was recorded, then the tensors once the model has been loaded."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import wgpu
from rendercanvas.base import BaseRenderCanvas

from atlas_viewer.recording.playback import longest_context
from atlas_viewer.recording.player import Player
from atlas_viewer.recording.reader import Recording
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.scene.scene_library import check_device
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.state import State
from compute.errors import AtlasError
from compute.forward.load_options import LoadOptions
from compute.gpu.device import is_software, shared_device
from compute.gpu.loading import Loading
from compute.text.tokenizer import load_tokenizer
from compute.weights.checkpoint import WeightSource
from compute.weights.fingerprint import weights_sha256

from .canvas import open_window, share_clipboard
from .open_window import WINDOW_SIZE
from .viewer import Viewer

_NAP_S = 0.01  # between two checks of whether the weights have been hashed


def loading_recorded_model(player: Player, source: WeightSource, load: LoadOptions) -> Loading[ModelLike]:
    """Load the recording's model in steps; return the recorded model if the weights differ or loading fails."""
    recording, playback = player.recording, player.playback
    try:
        with ThreadPoolExecutor(1, "weights hash") as pool:
            hashing = pool.submit(weights_sha256, source)
            while not hashing.done():
                yield "comparing the weights with the recorded ones", 0.0
                time.sleep(_NAP_S)
        if hashing.result() != recording.head.weights_sha256:
            playback.notice = (
                f"the weights of {source.name} on this machine differ from those of the recorded model, so Strip and"
                " Map stay empty; everything that was recorded is shown"
            )
            return player.model
        context = max(longest_context(recording.steps(run)) for run in recording.runs())
        runner = yield from ModelRunner.loading(source, load_tokenizer(), replace(load, context=context))
    except AtlasError as error:
        playback.notice = f"the model cannot be loaded, so Strip and Map stay empty: {error}"
        return player.model
    playback.notice = ""
    return runner


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
    player.playback.notice, player.playback.follow = notice, follow
    if source is not None:
        player.playback.notice = "The model is being loaded; Strip and Map will appear afterwards."
        viewer.load(loading_recorded_model(player, source, load), source.name)
    share_clipboard()
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
