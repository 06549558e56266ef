"""The whole window in memory, at sizes and scales that occur on desktops."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.state.state import State
from atlas_viewer.state.ui_state import UiState
from atlas_viewer.ui import widget_tracking
from compute.gpu.device import shared_device
from compute.gpu.loading import Loading
from compute.sampling.options import GenerateOptions

from helpers.fake_generation import FakeRunner

pytestmark = pytest.mark.gpu


def viewer_at(size: tuple[int, int], ui: UiState | None = None) -> Viewer:
    state = State("one two", GenerateOptions(max_new_tokens=2), ui=ui or UiState())
    return Viewer(open_picture(size), shared_device(), state, loading())


def loading() -> Loading[FakeRunner]:
    yield "uploading", 0.5
    return FakeRunner(shared_device())


def rescale(viewer: Viewer, scale: float, width: int, height: int) -> None:
    """A screen with `scale` pixels per logical pixel, and a size in logical pixels."""
    viewer.canvas.set_pixel_ratio(scale)
    viewer.canvas.set_logical_size(width, height)


def drawn(viewer: Viewer, frames: int = 1) -> np.ndarray:
    for _ in range(frames):
        image = viewer.canvas.draw()
        if viewer.failure is not None:
            raise viewer.failure
    return np.asarray(image)


def test_resized_minimized_and_moved_between_scales() -> None:
    viewer = viewer_at((1280, 720), UiState(hidden={"Logits"}))  # a table that has been small may scroll elsewhere
    drawn(viewer, 10)
    assert viewer.state.run is not None
    assert viewer.state.run.done
    before = drawn(viewer)
    for width, height in ((200, 150), (1, 1), (0, 0), (3840, 2160), (60, 900), (1280, 720)):
        for scale in (1.0, 1.25, 2.0) if width < 3000 else (1.0,):
            rescale(viewer, scale, width, height)
            image = drawn(viewer, 2)
            if width:
                assert image.shape == (max(round(height * scale), 1), max(round(width * scale), 1), 4)
    rescale(viewer, 1.0, 1280, 720)
    after = drawn(viewer, 3)
    assert (before != after).any(-1).mean() < 0.002, "the window looks different afterwards"


def test_a_doubled_scale_does_not_magnify_pixels() -> None:
    """Text is drawn at the scale of the screen, not magnified."""
    viewer = viewer_at((640, 360))
    rescale(viewer, 2.0, 640, 360)
    image = drawn(viewer, 8)[:, :560, :3].astype(int)  # the left column, without the strip
    assert image.shape[0] == 720
    pairs = image.reshape(360, 2, 280, 2, 3)
    same = (pairs == pairs[:, :1, :, :1]).all((1, 3, 4))
    text = (abs(pairs - np.median(image, (0, 1)).astype(int)) > 40).any((1, 3, 4))
    assert (~same & text).sum() > 500


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_theme_and_zoom_apply_from_the_first_frame(theme: str) -> None:
    viewer = viewer_at((640, 360), UiState(theme=theme, zoom=2.0))
    image = drawn(viewer)
    assert (image[..., :3].mean() > 128) == (theme == "light")
    assert viewer.state.ui.layout_zoom == 2.0


@pytest.mark.parametrize("size", [(640, 400), (1280, 720), (2560, 1440)])
def test_the_whole_window_gives_half_of_itself_to_the_map(size: tuple[int, int]) -> None:
    viewer = viewer_at(size)
    drawn(viewer, 4)
    rect = widget_tracking.rects["map"]
    assert (rect.right - rect.left) * (rect.bottom - rect.top) >= 0.5 * size[0] * size[1]
