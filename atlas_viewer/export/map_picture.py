"""Pictures of Map as files, painted and labeled in bands, so that a poster needs no more memory than a screenshot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from atlas_viewer.media.png import PngWriter
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.scene.glyphs import digit_glyphs, letter, put
from atlas_viewer.state.label_space import Label
from atlas_viewer.state.map_addresses import box_of
from atlas_viewer.state.map_bands import Words
from atlas_viewer.state.map_camera import MapCamera
from atlas_viewer.state.map_labels import MapLabels, labels_for
from atlas_viewer.state.map_viewport import MapViewport, show
from atlas_viewer.state.protocols import GenerationLike
from atlas_viewer.state.quoting import quoted
from compute.generate.generator import Generation
from compute.io.output_files import output_file
from compute.models.tensor_index import TensorIndex
from compute.views.palettes import CANVASES

_GROUND = np.rint(np.array(CANVASES["dark"].ground) * 255).astype(np.uint8)
_BAND = 1 << 21  # pixels painted at once
_INK = np.array((226, 231, 238), np.float32)


def write_map(
    runner: ModelRunner,
    generation: Generation,
    out: Path,
    size: tuple[int, int],
    *,
    zoom: float,
    center: tuple[float, float] | None,
    target: TensorIndex | None,
    text: Mapping[str, str] | None = None,
) -> None:
    """Write Map after `generation` to `out`, as a PNG file of `size` (width, height) pixels.

    zoom: 1 shows everything; center: in cells, or None for the middle; target: the tensor or value to center instead,
    which fills the picture if `zoom` is 1; text: metadata of the picture by keyword. Raises `OutputError`.
    """
    wide, high = size
    registry = runner.registry
    maps = runner.load_map(digit_glyphs(), max(1, registry.rows))
    maps.update()
    camera = MapCamera(maps.layout.width, maps.layout.height)
    if target is not None:
        box = box_of(target, maps.layout)
        if zoom == 1:
            camera.frame(box, wide, high)
        else:
            camera.look_at(zoom, box[0] + box[2] / 2, box[1] + box[3] / 2, wide, high)
    else:
        camera.look_at(zoom, *(center or (camera.pose.x, camera.pose.y)), wide, high)
    view = camera.view(wide, high)
    labels = labels_for(registry, maps.layout, view, wide, high, words_of(runner, generation))
    with output_file(out) as file, PngWriter(file, wide, high, text) as writer:
        band = max(1, _BAND // wide)
        for top in range(0, high, band):
            rows = min(band, high - top)
            maps.draw(view, wide, rows, top=top)
            image = np.array(maps.read())
            write_labels(image, labels, top)
            writer.write(image)


class MapPicture:
    """Map alone, repainted for different passes."""

    def __init__(
        self, runner: ModelRunner, size: tuple[int, int], context: int, zoom: float, center: tuple[float, float] | None
    ) -> None:
        """size: (width, height) in pixels; context: longest context of the passes; zoom, center: as for `write_map`."""
        self._runner, self._size = runner, size
        self._maps = runner.load_map(digit_glyphs(), context)
        camera = MapCamera(self._maps.layout.width, self._maps.layout.height)
        camera.look_at(zoom, *(center or (camera.pose.x, camera.pose.y)), *size)
        self._start = camera.pose

    def pixels(self, generation: GenerationLike, viewport: MapViewport | None = None) -> np.ndarray:
        """Map of the engine's latest pass, which is the last of `generation`: uint8 [height, width, 4]. Blocks.

        viewport: replaces zoom and center.
        """
        wide, high = self._size
        layout = self._maps.layout
        camera = MapCamera(layout.width, layout.height)
        camera.pose = self._start
        if viewport is not None:
            show(camera, viewport, layout, wide, high)
        view = camera.view(wide, high)
        self._maps.update()
        self._maps.draw(view, wide, high)
        image = np.array(self._maps.read())
        words = words_of(self._runner, generation)
        write_labels(image, labels_for(self._runner.registry, layout, view, wide, high, words), 0)
        return image


def words_of(runner: ModelRunner, generation: GenerationLike) -> Words:
    """The quoted texts of the tokens in the last pass of `generation`."""
    start = generation.steps[-1].context_start if generation.steps else 0
    tokens = [*generation.prompt_tokens, *(step.token for step in generation.steps)][start:]

    def context(row: int) -> str | None:
        return quoted(runner.tokenizer.token_label(tokens[row])) if row < len(tokens) else None

    return Words(context, lambda token: quoted(runner.tokenizer.token_label(token)))


def write_labels(image: np.ndarray, labels: MapLabels, top: int) -> None:
    """Draw labels into a band of a picture, uint8 [rows, width, 4], that begins at row `top` of the picture."""
    for ruler in labels.rulers:
        rows = slice(max(round(ruler.y) - top, 0), max(round(ruler.y + ruler.height) - top, 0))
        image[rows, round(ruler.x) : round(ruler.x + ruler.width), :3] = _GROUND
    for label in labels.labels:
        if label.y + 1.3 * label.size < top or label.y - 4 > top + len(image):
            continue
        _write(image, label, round(label.x), round(label.y) - top)


def _write(image: np.ndarray, label: Label, x: int, y: int) -> None:
    cover = np.zeros((label.size + 6, round(label.width) + 8), np.uint8)
    for number, character in enumerate(label.text):
        picture, left, up, _ = letter(character, label.size)
        put(cover, picture, number * label.size // 2 + left + 2, round(0.8 * label.size) - up + 2)
    x, y = x - 2, y - 2
    first, start = max(-y, 0), max(-x, 0)
    part = (
        image[y + first : y + len(cover), x + start : x + cover.shape[1], :3]
        if y + len(cover) > 0
        else image[:0, :0, :3]
    )
    share = cover[first : first + part.shape[0], start : start + part.shape[1], None].astype(np.float32) / 255
    part[:] = (part + (_INK - part) * share).astype(np.uint8)
