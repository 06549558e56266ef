"""One picture of a finished run, without a display: the same scene and the same panels as in the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from compute.checkpoint import WeightSource
from compute.device import shared_device
from compute.generator import Generation
from compute.options import GenerateOptions
from compute.tokenizer import load_tokenizer

from .app import Viewer
from .camera import StripCamera, fitted
from .canvas import open_picture
from .interface import Interface
from .map_picture import write_map
from .map_places import parse_place
from .output import atomic_write
from .png import png
from .protocols import WorkbenchLike
from .scene import AtlasScene
from .state import State
from .workbench import Workbench

EMPTY = (6, 9, 14, 255)  # colour of cells that no tensor has
# Tables and scrolled regions take their final sizes over a few frames.
_FRAMES = 3


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
    adapter: str | None,
    weights: str,
    program: str = "auto",
    view: str = "strip",
    place: str | None = None,
    theme: str = "dark",
) -> Generation:
    """Run `prompt` to its end and write a PNG of `size` (width, height) pixels to `out`; returns the run.

    panels: the whole window in `theme`, otherwise the atlas alone, in its proportions on a ground of the empty cells'
    colour.
    zoom, center: as the window's camera, `center` in cells (None is the middle). view: "strip", or "map", of which a
    `place` can be named that is in the middle. `source` is closed. Raises `AtlasError`s.
    """
    try:
        bench = Workbench(
            source, load_tokenizer(), context=options.context, weights=weights, adapter=adapter, program=program
        )
        generation = bench.start(prompt, options)
        generation.run()
        if view == "map":
            shapes = {tensor.name: bench.registry.shape(tensor) for tensor in bench.registry}
            target = None if place is None else parse_place(place, shapes)
            write_map(bench, generation, out, size, zoom=zoom, center=center, place=target)
            return generation
        while bench.paint():
            pass
        camera = StripCamera()
        camera.look_at(zoom, *(center or camera.center))
        if panels:
            image = window_pixels(bench, generation, prompt, camera, size, theme)
        else:
            image = strip_pixels(bench, camera, size)
    finally:
        source.close()
    atomic_write(out, png(image))
    return generation


def strip_pixels(bench: WorkbenchLike, camera: StripCamera, size: tuple[int, int]) -> np.ndarray:
    """The atlas alone, uint8 [height, width, 4]."""
    wide, high = fitted(*size)
    scene = AtlasScene(bench.atlas, shared_device())
    scene.draw(camera.view, wide, high)
    image = np.empty((size[1], size[0], 4), np.uint8)
    image[:] = EMPTY
    left, top = (size[0] - wide) // 2, (size[1] - high) // 2
    image[top : top + high, left : left + wide] = scene.pixels()
    return image


def window_pixels(
    bench: WorkbenchLike,
    generation: Generation,
    prompt: str,
    camera: StripCamera,
    size: tuple[int, int],
    theme: str = "dark",
) -> np.ndarray:
    """The window as it looks after `generation`, uint8 [height, width, 4]."""
    canvas = open_picture(size)
    state = State(prompt, generation.options, camera=camera, live=False, interface=Interface(theme=theme))
    viewer = Viewer(canvas, shared_device(), state, None)
    viewer.show(bench, generation, prompt)
    for _ in range(_FRAMES):
        image = canvas.draw()
        if viewer.failure is not None:
            raise viewer.failure
    canvas.close()
    return np.asarray(image)
