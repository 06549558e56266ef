"""Opens the program's window, runs it until it is closed, and cleans up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rendercanvas.base import BaseRenderCanvas

from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.scene.scene_library import check_device
from atlas_viewer.state.chat_draft import ChatDraft
from atlas_viewer.state.navigation import ATLAS
from atlas_viewer.state.protocols import ModelLike
from atlas_viewer.state.settings import SettingsStore
from atlas_viewer.state.state import State
from atlas_viewer.tour.player import read_tour
from atlas_viewer.tour.recorder import TourRecorder
from atlas_viewer.walk.pages import Walk
from compute.edits.grammar import Edit
from compute.errors import AtlasError, OutputError
from compute.forward.load_options import LoadOptions
from compute.gpu.device import is_software, shared_device
from compute.gpu.loading import Loading
from compute.sampling.options import GenerateOptions
from compute.text.chat import Turn
from compute.weights.checkpoint import WeightSource, open_model
from compute.weights.model_tokenizer import tokenizer_of

from .canvas import call_later, open_window, share_clipboard, take_drops
from .dropped_files import open_dropped
from .model_switch import ModelSwitch
from .playback_switch import PlaybackSwitch
from .viewer import Viewer

WINDOW_SIZE = (1280, 720)


def view(
    source: WeightSource,
    prompt: str,
    options: GenerateOptions,
    load: LoadOptions,
    tour: Path | None = None,
    pictures: Path = Path("."),
    record: Path | None = None,
    walk: Walk | None = None,
    edits: Sequence[Edit] = (),
    turns: Sequence[Turn] | None = None,
) -> None:
    """Open the window, run the prompt, and return when the window is closed.

    source: closed together with the window; load: how to load the model, with the context of `options`; tour: file of a
    tour to play, which saves its pictures in the folder `pictures` and closes the window at its end; record: file in
    which the user's actions are recorded as a tour; walk: the walk to open, which fits the model; edits: what to change
    in every run, which fit the model; turns: those before the prompt when it is the last turn of a chat, which fits the
    model, or None for a plain text.
    Raises `AtlasError`s for a bad option or prompt before a window opens, `DisplayError` if none can be opened.
    """
    _check(source, prompt, options, chat=turns is not None)
    steps = read_tour(tour) if tour is not None else None
    device = shared_device(load.adapter)
    check_device(device)
    canvas, run_loop = open_window(source.name, WINDOW_SIZE, vsync=not is_software(device.adapter))
    state = State(prompt, options, loading=f"loading {source.name}", chat=ChatDraft.given(turns))

    settings_store = _settings(state, canvas, playing=steps is not None)

    def loading(source: WeightSource) -> Loading[ModelLike]:
        tokenizer = tokenizer_of(source)
        tokenizer.check_fits(source.config.vocabulary)
        context = min(state.options.context, source.config.positions)
        return ModelRunner.loading(source, tokenizer, replace(load, context=context), edits)

    failed, viewer = False, None
    try:
        viewer = Viewer(canvas, device, state, loading(source))
        viewer.switch = ModelSwitch(state, lambda spec: loading(open_model(spec)))
        viewer.playbacks = PlaybackSwitch(viewer, load)
        viewer.settings_store = settings_store
        share_clipboard()
        take_drops(canvas, lambda paths: open_dropped(state, paths, models=True))
        _begin_tours(viewer, steps, pictures, record, walk)
        run_loop(partial(_rescue, viewer))
        _raise_failure(viewer)
    except Exception as error:
        failed = not isinstance(error, AtlasError)
        raise
    finally:
        if settings_store is not None:
            settings_store.close(failed=failed)
        source.close()
        if viewer is not None:
            _close(viewer)
    if viewer.recorder is not None and viewer.recorder.trouble:
        raise OutputError(viewer.recorder.trouble)


def _check(source: WeightSource, prompt: str, options: GenerateOptions, *, chat: bool) -> None:
    """Raise an `AtlasError` for what cannot run. The command line has checked a chat before."""
    tokenizer = tokenizer_of(source)
    tokenizer.check_fits(source.config.vocabulary)
    options.checked(source.config.positions, source.config.vocabulary)
    if not chat:
        tokenizer.encode(prompt)


def _settings(state: State, canvas: BaseRenderCanvas, *, playing: bool) -> SettingsStore | None:
    """Load the settings into the state. A tour starts from the default settings on every machine."""
    if playing:
        state.ui.view = ATLAS  # as in the versions whose tours are still played
        return None
    return SettingsStore(state, lambda seconds: call_later(seconds, canvas.request_draw))


def _begin_tours(
    viewer: Viewer, steps: list[dict[str, Any]] | None, pictures: Path, record: Path | None, walk: Walk | None
) -> None:
    """Open the walk, play the tour of `steps`, and record the user's actions in `record`, if given."""
    if walk is not None:
        viewer.state.walks.begin(walk)
    if steps is not None:
        viewer.play(steps, pictures)
    if record is not None:
        viewer.recorder = TourRecorder(record, viewer.state.messages.append)


def _raise_failure(viewer: Viewer) -> None:
    """If a failure closed the window, print the generated text and raise the failure."""
    if viewer.failure is not None:
        _print_text(viewer.state)
        raise viewer.failure


def _close(viewer: Viewer) -> None:
    """Close the viewer's current model and the tour that it is recording."""
    if viewer.controller is not None:
        viewer.controller.model.close()
    if viewer.recorder is not None:
        viewer.recorder.close()


def _rescue(viewer: Viewer) -> None:
    """After the display has disappeared, print the generated text and complete every file."""
    _print_text(viewer.state)
    viewer.close_files()
    if viewer.settings_store is not None:
        viewer.settings_store.close()
    if viewer.recorder is not None:
        viewer.recorder.close()


def _print_text(state: State) -> None:
    """Print the text of the run shown, which must not be lost with the window."""
    if state.run is not None:
        print(state.run.prompt + state.run.continuation, flush=True)
