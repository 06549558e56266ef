"""The cells under each pixel, compared with plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.views.map_view import MapView, axis, level_of, pixels_of

STARTS = st.floats(-50, 900, allow_nan=False)
SCALES = st.floats(1 / 160, 90, allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(STARTS, SCALES, st.sampled_from([1, 2, 4, 8, 16]), st.integers(1, 60))
def test_every_visible_block_is_in_one_pixel(start: float, scale: float, block: int, pixels: int) -> None:
    table = axis(start, scale, pixels, 1000, block)
    assert (table[:, 0] <= table[:, 1]).all()
    assert (table[1:, 0] >= table[:-1, 0]).all()
    assert table[:, :2].min() >= 0
    assert table[:, :2].max() <= math.ceil(1000 / block)
    if scale >= block:
        # Pixels have no gaps and no overlap, and contain the blocks whose center is in them.
        assert (table[1:, 0] == table[:-1, 1]).all()
        for pixel in range(pixels):
            for number in range(table[pixel, 0], table[pixel, 1]):
                middle = (number + 0.5) * block
                assert start + pixel * scale - 1e-6 <= middle <= start + (pixel + 1) * scale + 1e-6
    else:
        for pixel in range(pixels):
            middle = (start + (pixel + 0.5) * scale) / block
            if 0.01 < middle < 1000 / block - 0.01 and abs(middle - round(middle)) > 1e-6:
                assert (table[pixel, 0], table[pixel, 1]) == (int(middle), int(middle) + 1)


@pytest.mark.parametrize("scale", [1 / 7, 1 / 60.5, 1 / 120])
def test_pixels_of_a_cell_are_numbered(scale: float) -> None:
    table = axis(10.3, scale, 400, 1000, 1)
    for cell in range(12, int(10.3 + 399 * scale) - 1):
        own = np.flatnonzero(table[:, 0] == cell)
        assert (table[own, 2] == np.arange(len(own))).all()
        assert (table[own, 3] == len(own)).all()
    assert table[0, 2] > 0  # the first cell starts left of the picture


@given(STARTS, SCALES, st.sampled_from([1, 2, 8]))
def test_parts_of_an_axis_add_up_to_the_whole(start: float, scale: float, block: int) -> None:
    whole = axis(start, scale, 50, 1000, block)
    parts = [axis(start, scale, 20, 1000, block), axis(start, scale, 30, 1000, block, 20)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_blocks_of_a_level_are_no_larger_than_a_pixel() -> None:
    assert level_of(1.99, 2, 4) is None
    assert [level_of(scale, 2, 4) for scale in (2, 3.9, 4, 8, 16, 500)] == [0, 0, 1, 2, 3, 3]


@settings(deadline=None)
@given(STARTS, SCALES, st.integers(0, 990), st.integers(1, 100))
def test_pixels_of_a_range_of_cells(start: float, scale: float, first: int, size: int) -> None:
    table = axis(start, scale, 60, 1000, 1)
    left, right = pixels_of(table, first, first + size)
    touching = [
        p for p in range(60) if table[p, 1] > first and table[p, 0] < first + size and table[p, 0] < table[p, 1]
    ]
    assert set(touching) <= set(range(left, right))


def test_pixels_and_cells_are_inverse() -> None:
    view = MapView(100.5, -3.25, 0.125)
    assert view.pixel_at(*view.cell_at(17, 40)) == (17, 40)
