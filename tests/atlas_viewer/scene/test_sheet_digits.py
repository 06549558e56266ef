"""Digits in the cells of the sheet: the exact value that each cell shows, in whole glyphs at any offset."""

from __future__ import annotations

import numpy as np
import pytest
import wgpu

from atlas_viewer.scene.atlas_scene import AtlasScene
from atlas_viewer.scene.glyphs import digit_glyphs
from atlas_viewer.state.camera import View
from compute.views.map_digits import GLYPHS, DigitStyle, digit_style, glyph_size, glyph_top, number_text
from compute.views.strip_layout import HEIGHT, WIDTH, Span
from compute.views.strip_sheet import Box, StripSheet

pytestmark = pytest.mark.gpu

COLUMNS, ROWS, FIRST = 7, 5, 633  # the cells continue on the next row of Strip
CELLS = COLUMNS * ROWS - 2
SHADE = 40
BOX = Box(Span("h.0.ln_1", "activation", FIRST, CELLS, CELLS), 6, 17, COLUMNS)
SHEET = StripSheet(40, 60, (BOX,), ())
_rng = np.random.default_rng(3)
VALUES = (_rng.standard_normal(CELLS) * 10.0 ** _rng.integers(-12, 12, CELLS)).astype(np.float32)
VALUES[:4] = 0.0, -0.0, 1e-42, -3.4e38


@pytest.fixture(scope="module")
def scene(device: wgpu.GPUDevice) -> AtlasScene:
    usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_DST
    layout = {"bytes_per_row": WIDTH * 4, "rows_per_image": HEIGHT}
    colors = np.full((HEIGHT, WIDTH, 4), SHADE, np.uint8)
    colors[..., 3] = 255
    bits = np.zeros(HEIGHT * WIDTH, np.uint32)
    bits[FIRST : FIRST + CELLS] = VALUES.view(np.uint32)
    textures = []
    for texel, data in (("rgba8unorm", colors), ("r32uint", bits)):
        texture = device.create_texture(size=(WIDTH, HEIGHT, 1), format=texel, usage=usage)
        device.queue.write_texture({"texture": texture}, data.tobytes(), layout, (WIDTH, HEIGHT, 1))
        textures.append(texture)
    made = AtlasScene(device)
    made.sheet.show_sheet(textures[0], textures[1], SHEET, "dark")
    return made


def coverage(value: float, style: DigitStyle) -> np.ndarray:
    """The text of a value, 0 to 1 [height, width of the text]."""
    wide, high = glyph_size(style.glyph_width)
    top = glyph_top(style.glyph_width)
    numbers = []
    for character in number_text(value, style.figures):
        number = GLYPHS.index(character)
        numbers.append(digit_glyphs()[top : top + high, number * wide : (number + 1) * wide])
    return np.concatenate(numbers, axis=1) / 255


@pytest.mark.parametrize("side", [60, 71, 90, 120])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.31, 0.47), (0.5, 0.5)])
def test_cells_show_their_values(scene: AtlasScene, side: int, shift: tuple[float, float]) -> None:
    """shift: of the box against the pixels, as a fraction of a pixel."""
    style = digit_style(side)
    assert style is not None
    assert style.ink == 1
    view = View(BOX.x - shift[0] / side, BOX.y - shift[1] / side, COLUMNS + 1, ROWS + 1)
    scene.sheet.draw(view, (COLUMNS + 1) * side, (ROWS + 1) * side)
    picture = scene.sheet.pixels()[..., 0].astype(float)
    for index, value in enumerate(VALUES):
        text = coverage(float(value), style)
        height, width = text.shape
        row, column = divmod(index, COLUMNS)
        # At half a pixel, either of two pixels may be the first.
        errors = []
        for down in (0, 1):
            for across in (0, 1):
                y, x = row * side + (side - height) // 2 + down, column * side + (side - width) // 2 + across
                wanted = SHADE + text * (0.93 * 255 - SHADE)
                errors.append(np.abs(picture[y : y + height, x : x + width] - wanted).max())
        assert min(errors) <= 3, (number_text(float(value), style.figures), errors)


def test_small_cells_have_no_digits(scene: AtlasScene) -> None:
    side = 40
    assert digit_style(side) is None
    scene.sheet.draw(View(BOX.x, BOX.y, COLUMNS, ROWS), COLUMNS * side, ROWS * side)
    inside = scene.sheet.pixels()[4 : side - 4, 4 : side - 4, :3].astype(int)
    assert np.abs(inside - SHADE).max() <= 1
