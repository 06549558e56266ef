"""Pictures without a display: colors are exact, cells are in their positions, panels are those of the window."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from atlas_viewer.export.render import EMPTY, render, strip_pixels, window_pixels
from atlas_viewer.media.png import png
from atlas_viewer.state.camera import StripCamera
from compute.errors import OutputError
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device
from compute.sampling.options import GenerateOptions
from compute.weights.checkpoint import open_model

from helpers.fake_generation import FakeGeneration, FakeRunner

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def runner() -> FakeRunner:
    made = FakeRunner(shared_device())
    # Every value of a channel, and the brightest colors of Strip.
    made.strip.cells[0, :256, 0] = np.arange(256)
    made.strip.cells[1, :2, :3] = [(255, 209, 26), (0, 199, 255)]
    made.paint()
    return made


def test_every_cell_and_color_is_unchanged(runner: FakeRunner) -> None:
    np.testing.assert_array_equal(strip_pixels(runner.strip, StripCamera(), (640, 360)), runner.strip.cells)


def test_a_cell_is_a_square_of_equal_pixels(runner: FakeRunner) -> None:
    camera = StripCamera()
    camera.look_at(8, 200, 100.5)
    x, y = round(camera.view.x), round(camera.view.y)
    seen = runner.strip.cells[y : y + 45, x : x + 80]
    np.testing.assert_array_equal(strip_pixels(runner.strip, camera, (640, 360)), seen.repeat(8, 0).repeat(8, 1))


def test_other_proportions_get_bars_in_the_empty_color(runner: FakeRunner) -> None:
    image = strip_pixels(runner.strip, StripCamera(), (700, 400))
    assert image.shape == (400, 700, 4)
    assert (image[:3] == EMPTY).all()
    assert (image[-3:] == EMPTY).all()
    wide = strip_pixels(runner.strip, StripCamera(), (1000, 360))
    np.testing.assert_array_equal(wide[:, 180:820], runner.strip.cells)


def test_the_window_shows_the_same_pixels(runner: FakeRunner) -> None:
    generation = FakeGeneration("Once upon a", GenerateOptions(max_new_tokens=6))
    while not generation.done:
        generation.advance(0.01)
    camera = StripCamera()
    camera.look_at(16, 320, 180)
    image = window_pixels(runner, generation, "Once upon a", camera, (1280, 720))
    assert image.shape == (720, 1280, 4)
    # The cells in the middle of Strip are beside each other in a box, and the second begins with a border.
    left, right = runner.strip.cells[180, 319, :3], runner.strip.cells[180, 320, :3]
    edge = (image[:, :-2, :3] == left).all(-1) & (image[:, 2:, :3] == right).all(-1)
    assert edge.sum() >= 4, "the two middle cells are not adjacent anywhere"


def test_png_contains_the_pixels(runner: FakeRunner) -> None:
    data = png(runner.strip.cells)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert (width, height, depth, kind) == (640, 360, 8, 2)
    start = data.index(b"IDAT")
    size = struct.unpack(">I", data[start - 4 : start])[0]
    body = data[start + 4 : start + 4 + size]
    assert struct.unpack(">I", data[start + 4 + size : start + 8 + size])[0] == zlib.crc32(b"IDAT" + body)
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(360, 1 + 3 * 640)
    np.testing.assert_array_equal(rows[:, 1:].reshape(360, 640, 3), runner.strip.cells[..., :3])


def _render(out: Path, *, panels: bool) -> str:
    options = GenerateOptions(max_new_tokens=3, temperature=0.0, context=64)
    generation = render(
        open_model("stories"),
        "Once upon a time, there was a",
        options,
        out,
        (960, 540),
        panels=panels,
        zoom=1,
        center=None,
        load=LoadOptions(),
    )
    return generation.text


@pytest.mark.parametrize("panels", [False, True])
def test_render_writes_a_picture_of_the_run(tmp_path: Path, panels: bool) -> None:
    out = tmp_path / "run.png"
    assert _render(out, panels=panels) == "Once upon a time, there was a little girl named"
    data = out.read_bytes()
    assert struct.unpack(">II", data[16:24]) == (960, 540)
    assert len(data) > 30_000
    assert list(tmp_path.iterdir()) == [out]


def test_render_reports_that_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        _render(tmp_path / "nowhere" / "run.png", panels=False)
