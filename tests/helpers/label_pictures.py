"""Pictures of the window with and without its labels, and what can be measured in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state.label_space import Label
from atlas_viewer.state.navigation import open_map, open_strip
from atlas_viewer.state.protocols import GenerationLike
from atlas_viewer.state.state import State
from atlas_viewer.state.strip_labels import StripLabel, strip_labels
from atlas_viewer.state.ui_state import UiState
from atlas_viewer.ui import theme as theme_module
from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.panels import map_overlay, strip
from compute.gpu.device import shared_device

LEAST_CONTRAST = 4.5
_SETTLE = 4  # frames after which panels have their final sizes
_MOST_FRAMES = 400
_BESIDE, _ABOVE = 5.5, 1.1  # ems beside and above Strip in which its names are

Box = tuple[float, float, float, float]  # left, top, right and bottom in pixels of the picture


@dataclass(frozen=True)
class Mark:
    """A label as the window claims to draw it. inside: it may lie on a cell, because it is a part of its data."""

    text: str
    box: Box
    inside: bool = False

    @property
    def pixels(self) -> tuple[slice, slice]:
        """The rows and columns of every pixel that the box touches."""
        left, top, right, bottom = self.box
        return slice(max(math.floor(top), 0), math.ceil(bottom)), slice(max(math.floor(left), 0), math.ceil(right))


@dataclass(frozen=True)
class Shot:
    """One picture, uint8 [height, width, 4], without and with labels.

    data: bool [height, width], pixels that show values. rulers: the opaque strips that continue labels at the edges.
    """

    plain: np.ndarray
    labeled: np.ndarray
    data: np.ndarray
    marks: Sequence[Mark]
    rulers: Sequence[Box]
    lines: Sequence[Box] = ()  # start and end of lines from labels to the cells that they name


def problems(shot: Shot) -> list[str]:
    """Every label that covers data, crosses another or cannot be read, and pixels changed outside of all labels."""
    changed = (shot.plain[..., :3] != shot.labeled[..., :3]).any(axis=2)
    ruled = np.zeros(changed.shape, bool)
    for ruler in shot.rulers:
        ruled[Mark("", ruler).pixels] = True
    count = np.zeros(changed.shape, np.int16)
    for mark in shot.marks:
        count[mark.pixels] += 1
    found = []
    for mark in shot.marks:
        rows, columns = mark.pixels
        box = changed[rows, columns]
        if not box.any():
            found.append(f"{mark.text!r} is not drawn")
            continue
        if mark.inside:
            # The cell has one color where its text is, so that the text is not on the digits.
            below = shot.plain[rows, columns, :3].reshape(-1, 3)
            if (below != below[0]).any():
                found.append(f"{mark.text!r} covers digits")
        elif (box & shot.data[rows, columns] & ~ruled[rows, columns]).any():
            found.append(f"{mark.text!r} covers data")
        if (box & (count[rows, columns] > 1)).any():
            found.append(f"{mark.text!r} crosses another label")
        ratio = extreme_contrast(shot.labeled[rows, columns])
        if ratio < LEAST_CONTRAST:
            found.append(f"{mark.text!r} has a contrast of {ratio:.2f}")
    for line in shot.lines:
        ruled |= _along(line, changed.shape)
    # The tail of a letter may be rounded down to the next row, unless it would cover data there.
    tails = np.pad(count, ((1, 0), (0, 0)))[:-1] > 0
    stray = changed & (count == 0) & ~ruled & (~tails | shot.data)
    if stray.any():
        row, column = np.argwhere(stray)[0]
        found.append(f"{stray.sum()} pixels outside of labels change, the first at {column}, {row}")
    return found


def scaled(box: Box, zoom: float) -> Box:
    """A box in pixels of a picture that is drawn at a zoom of the interface."""
    left, top, right, bottom = box
    return zoom * left, zoom * top, zoom * right, zoom * bottom


def _line(label: Label) -> Box:
    """The line from a label, at the side that faces the cell that it names, to that cell."""
    assert label.to is not None
    x, y = label.to
    return label.x - 2 if x < label.x else label.x + label.width + 2, label.y + label.size / 2, x, y


def _along(line: Box, shape: tuple[int, ...]) -> np.ndarray:
    """The pixels [height, width] that a line as wide as a pixel may touch."""
    start, end = np.array(line).reshape(2, 2)
    rows, columns = np.indices(shape)
    points = np.stack((columns + 0.5, rows + 0.5), axis=-1) - start
    way = end - start
    part = np.clip(points @ way / max(way @ way, 1e-9), 0, 1)
    found: np.ndarray = np.linalg.norm(points - part[..., None] * way, axis=-1) <= 2
    return found


def extreme_contrast(pixels: np.ndarray) -> float:
    """The contrast as WCAG defines it between the most frequent color and the one that differs most from it.

    pixels: uint8 [rows, columns, 3 or 4]. The extreme is text that its letter covers entirely, or nearly.
    """
    packed = pixels[..., :3].reshape(-1, 3).astype(np.uint32) @ np.array((1, 1 << 8, 1 << 16), np.uint32)
    colors, counts = np.unique(packed, return_counts=True)
    encoded = (colors[:, None] >> np.array((0, 8, 16), np.uint32) & 255) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    light = linear @ (0.2126, 0.7152, 0.0722) + 0.05
    ground = light[counts.argmax()]
    return float(np.maximum(light / ground, ground / light).max())


class LabeledWindow:
    """The window of one model, drawn offscreen at any size and in both themes. Close it when done."""

    def __init__(self, runner: ModelRunner, generation: GenerationLike, prompt: str) -> None:
        self.canvas = open_picture((1280, 720))
        self.state = State(prompt, generation.options, live=False, ui=UiState(minimap=False))
        self.viewer = Viewer(self.canvas, shared_device(), self.state, None)
        self.viewer.show(runner, generation, prompt)

    def close(self) -> None:
        self.canvas.close()

    def draw(self) -> np.ndarray:
        """A frame, uint8 [height, width, 4]."""
        image = np.asarray(self.canvas.draw())
        if self.viewer.failure is not None:
            raise self.viewer.failure
        return image

    def settle(self, size: tuple[int, int], view: str) -> None:
        """Show Strip ("Atlas") or Map at this size."""
        (open_map if view == "Map" else open_strip)(self.state)
        self.canvas.set_logical_size(*size)
        self.wait(_SETTLE)

    def wait(self, frames: int) -> None:
        """Draw until nothing is loaded or read back any more, and then this many frames."""
        for _ in range(_MOST_FRAMES):
            self.draw()
            updater, displays = self.viewer.updater, self.viewer._displays
            frames -= not (updater is None or updater.pending or displays.pending)
            if frames == 0:
                return
        raise AssertionError("the window does not settle")

    def map_shot(self, theme: str) -> Shot:
        """Map as the camera shows it."""
        self.state.ui.theme = theme
        labeled = self.draw()
        with _without(map_overlay, "labels"):
            plain = self.draw()
        made, zoom = self.state.map.labels.made, theme_module.zoom()
        marks = [
            Mark(
                label.text,
                scaled((label.x, label.y, label.x + label.width, label.y + label.size), zoom),
                inside=label.role is not None and label.role.value == "logits" and not label.of and not label.ruler,
            )
            for label in made.labels
        ]
        rulers = [
            scaled((ruler.x, ruler.y, ruler.x + ruler.width, ruler.y + ruler.height), zoom) for ruler in made.rulers
        ]
        lines = [scaled(_line(label), zoom) for label in made.labels if label.to is not None]
        area = _area("map")
        return Shot(plain[area], labeled[area], self._map_data(), marks, rulers, lines)

    def map_cells(self, name: str) -> Iterator[Box]:
        """The boxes of the cells of a tensor that lie whole in the picture of Map and have a value."""
        maps = self.state.map
        assert maps.layout is not None
        assert maps.registry is not None
        placement = maps.layout.placements[name]
        view, (wide, high) = maps.view, maps.size
        tensor = maps.registry[name]
        rows = maps.registry.rows if tensor.rows is None and not tensor.heads else placement.rows
        corners = ((row, column) for row in range(rows) for column in range(placement.columns))
        for row, column in corners:
            x, y = placement.cell_of(row, column)
            left, top = view.pixel_at(x, y)
            right, bottom = view.pixel_at(x + placement.cell_width, y + placement.cell_height)
            if left >= 0 and top >= 0 and right <= wide and bottom <= high:
                yield left, top, right, bottom

    def strip_shot(self, theme: str) -> Shot:
        """Strip as the camera shows it, with the names beside and above it."""
        self.state.ui.theme = theme
        self.wait(2)
        found: list[StripLabel] = []

        def kept(*values: Any) -> list[StripLabel]:
            found[:] = strip_labels(*values)
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(strip, "strip_labels", kept)
            labeled = self.draw()
        with _without(strip, "_labels"):
            plain = self.draw()
        rows, columns = _area("picture")
        left, top = round(theme_module.em(_BESIDE)), round(theme_module.em(_ABOVE))
        area = slice(rows.start - top, rows.stop), slice(columns.start - left, columns.stop)
        marks = [
            Mark(label.text, (left + label.x, top + label.y, left + label.x + label.width, top + label.y + label.size))
            for label in found
        ]
        data = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
        for box in self.strip_boxes():
            data[Mark("", box).pixels] = True
        return Shot(plain[area], labeled[area], np.pad(data, ((top, 0), (left, 0))), marks, [])

    def strip_boxes(self) -> Iterator[Box]:
        """The boxes of all tensors in the picture of Strip."""
        shown, view = self.state.strip, self.state.strip.camera.view
        pixels = self.state.ui.picture_sizes["Atlas"][0] / view.width
        for box in shown.sheet.boxes:
            left, top = (box.x - view.x) * pixels, (box.y - view.y) * pixels
            yield max(left, 0), max(top, 0), max(left + box.columns * pixels, 0), max(top + box.rows * pixels, 0)

    def _map_data(self) -> np.ndarray:
        """The pixels of Map that show values: the pass leaves others transparent."""
        maps: Any = self.viewer._displays._map._maps
        wide, high, _ = maps.texture.size
        layout = {"bytes_per_row": 4 * wide, "rows_per_image": high}
        data = shared_device().queue.read_texture({"texture": maps.texture}, layout, (wide, high, 1))
        return np.frombuffer(data, np.uint8).reshape(high, wide, 4)[..., 3] > 0


def _area(widget: str) -> tuple[slice, slice]:
    """The rows and columns of a picture that a widget of the last frame takes up."""
    rect = widget_tracking.rects[widget]
    return slice(int(rect.top), int(rect.bottom)), slice(int(rect.left), int(rect.right))


@contextmanager
def _without(module: ModuleType, function: str) -> Iterator[None]:
    """A context in which a panel's function draws nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, function, lambda *_: None)
        yield
