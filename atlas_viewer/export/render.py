"""Pictures of a finished run, drawn without a display by the window's scene and panels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.media.png import png
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.scene.scene_library import make_scene
from atlas_viewer.state.camera import StripCamera, fitted
from atlas_viewer.state.chat_draft import ChatDraft
from atlas_viewer.state.map_viewport import MapViewport
from atlas_viewer.state.navigation import go, open_map, open_strip
from atlas_viewer.state.protocols import GenerationLike, ModelLike, StripPainter
from atlas_viewer.state.runs import Runs
from atlas_viewer.state.state import State
from atlas_viewer.state.ui_state import UiState
from compute.edits.grammar import Edit
from compute.errors import UsageError
from compute.forward.load_options import LoadOptions
from compute.generate.generator import Generation
from compute.gpu.device import shared_device
from compute.io.output_files import write_output
from compute.models.tensor_index import parse_tensor_index
from compute.sampling.options import GenerateOptions
from compute.text.chat import Turn
from compute.weights.checkpoint import WeightSource
from compute.weights.model_tokenizer import tokenizer_of

from .map_picture import write_map

EMPTY = (6, 9, 14, 255)  # color of cells that belong to no tensor
# Tables and scrolled regions need a few frames to reach their final sizes.
_FRAMES = 4
# Statistics arrive later. The picture waits for them, but only this many frames.
_MAX_FRAMES = 100


@contextmanager
def _naming_place_option() -> Iterator[None]:
    """A context in which every `UsageError` names the option --place."""
    try:
        yield
    except UsageError as error:
        advice = "" if ";" in str(error) else "; `atlas-viewer trace` lists the names"
        raise UsageError(f"--place {error}{advice}") from None


@dataclass(frozen=True)
class MapStart:
    """What Map shows: a zoom, and a cell or tensor index in the middle. At zoom 1, the tensor fills the picture."""

    zoom: float
    center: tuple[float, float] | None
    place: str | None

    def apply(self, state: State) -> None:
        """Move the camera there. Requires that Map has a layout. Raises `UsageError`."""
        maps = state.map
        if self.place is not None:
            with _naming_place_option():
                go(state, self.place)
        else:
            maps.camera.reset()
        if self.zoom != 1 or self.center is not None:
            pose = maps.camera.pose
            maps.camera.look_at(self.zoom, *(self.center or (pose.x, pose.y)), *maps.size)


def render(
    source: WeightSource,
    prompt: str,
    options: GenerateOptions,
    out: Path,
    size: tuple[int, int],
    *,
    panels: bool,
    zoom: float,
    center: tuple[float, float] | None,
    load: LoadOptions,
    view: str = "strip",
    place: str | None = None,
    theme: str = "dark",
    edits: Sequence[Edit] = (),
    turns: Sequence[Turn] = (),
) -> Generation:
    """Run `prompt` to completion, write a PNG of `size` (width, height) pixels to `out`, and return the generation.

    panels: draw the whole window in `theme` instead of just Strip or Map; Strip alone keeps its proportions, on a
    background in the color of empty cells. zoom, center: those of the camera, `center` in cells (None for the middle).
    view: "strip" or "map"; place: a tensor index to center in Map; edits: what to change in every pass, which the
    picture names in its metadata; turns: of a chat, which is run instead of `prompt`. Closes `source`.
    Raises `AtlasError`s.
    """
    try:
        runner = ModelRunner.load(source, tokenizer_of(source), replace(load, context=options.context), edits)
        tokens = None
        if turns:
            chat = runner.tokenizer.encode_chat(turns)
            prompt, tokens = chat.text, chat.ids
        generation = runner.start(prompt, options, tokens=tokens)
        generation.run()
        if view == "map" and not panels:
            shapes = {tensor.name: runner.registry.shape(tensor) for tensor in runner.registry}
            with _naming_place_option():
                target = None if place is None else parse_tensor_index(place, shapes)
            write_map(runner, generation, out, size, zoom=zoom, center=center, target=target, text=_named(edits))
            return generation
        while runner.paint():
            pass
        camera = StripCamera()
        start = MapStart(zoom, center, place) if view == "map" else None
        if start is None:
            camera.look_at(zoom, *(center or camera.center))
        if panels:
            image = window_pixels(runner, generation, prompt, camera, size, theme, start, turns)
        else:
            image = strip_pixels(runner.strip, camera, size)
    finally:
        source.close()
    write_output(out, png(image, _named(edits)))
    return generation


def _named(edits: Sequence[Edit]) -> dict[str, str]:
    """The metadata of a picture that names the edits."""
    return {"Edits": "\n".join(map(str, edits))} if edits else {}


class Picture:
    """Strip alone, drawn repeatedly at one size."""

    def __init__(self, strip: StripPainter, size: tuple[int, int]) -> None:
        """size: (width, height) in pixels."""
        self._size, self._fitted = size, fitted(*size)
        self._scene = make_scene(shared_device())
        self._scene.strip.show(strip.texture)

    def pixels(self, camera: StripCamera) -> np.ndarray:
        """Strip as last painted, uint8 [height, width, 4]."""
        (width, height), (wide, high) = self._size, self._fitted
        self._scene.strip.draw(camera.view, wide, high)
        image = np.empty((height, width, 4), np.uint8)
        image[:] = EMPTY
        left, top = (width - wide) // 2, (height - high) // 2
        image[top : top + high, left : left + wide] = self._scene.strip.pixels()
        return image


def strip_pixels(strip: StripPainter, camera: StripCamera, size: tuple[int, int]) -> np.ndarray:
    """Strip alone, uint8 [height, width, 4]."""
    return Picture(strip, size).pixels(camera)


class WindowPicture:
    """The whole window, drawn repeatedly at one size. Close it when done."""

    def __init__(
        self,
        runner: ModelLike,
        size: tuple[int, int],
        theme: str = "dark",
        start: MapStart | None = None,
        turns: Sequence[Turn] = (),
    ) -> None:
        """size: (width, height) in pixels; theme: the panels' theme; start: bring Map to the front and show this.

        turns: of the chat that the prompt is.
        """
        self._turns = turns
        self._runner, self._theme, self._start = runner, theme, start
        self._canvas = open_picture(size)
        self._viewer: Viewer | None = None

    def pixels(
        self, generation: GenerationLike, prompt: str, camera: StripCamera, viewport: MapViewport | None = None
    ) -> np.ndarray:
        """The window after `generation`, which must be finished, as uint8 [height, width, 4].

        viewport: what Map shows instead of `start`.
        """
        if self._viewer is None:
            ui = UiState(theme=self._theme)
            written = self._turns[-1].content if self._turns else prompt
            chat = ChatDraft.given(self._turns[:-1] if self._turns else None)
            state = State(written, generation.options, camera=camera, live=False, ui=ui, chat=chat)
            self._viewer = Viewer(self._canvas, shared_device(), state, None)
        self._viewer.state.camera, self._viewer.state.runs = camera, Runs()
        self._viewer.show(self._runner, generation, prompt)
        if self._start is not None:
            open_map(self._viewer.state)
        else:
            open_strip(self._viewer.state)
        image, start, maps = None, self._start, self._viewer.state.map
        number = 0
        while number < _MAX_FRAMES:
            pending = self._viewer.updater is not None and self._viewer.updater.pending
            if number >= _FRAMES and not pending:
                break
            image = self._canvas.draw()
            if self._viewer.failure is not None:
                raise self._viewer.failure
            if maps.preparing is not None:
                continue  # preparing Map takes many frames
            number += 1
            if start is not None and maps.layout is not None:
                start.apply(self._viewer.state)
                if viewport is not None:
                    maps.show(viewport)
                start, number = None, 1
        return np.asarray(image)

    def close(self) -> None:
        """Close the canvas."""
        self._canvas.close()


def window_pixels(
    runner: ModelLike,
    generation: GenerationLike,
    prompt: str,
    camera: StripCamera,
    size: tuple[int, int],
    theme: str = "dark",
    start: MapStart | None = None,
    turns: Sequence[Turn] = (),
) -> np.ndarray:
    """The window after `generation`, as uint8 [height, width, 4]; start, turns: as for `WindowPicture`."""
    picture = WindowPicture(runner, size, theme, start, turns)
    image = picture.pixels(generation, prompt, camera)
    picture.close()
    return image
