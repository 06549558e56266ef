"""Values as text on Map, compared with Python's decimal arithmetic."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.views.map_digits import GLYPHS, SIZES, digit_style, glyph_size, glyph_top, number_text


@pytest.mark.parametrize(
    ("value", "figures", "text"),
    [
        (0.0, 3, "0"),
        (-0.0, 3, "0"),
        (1.0, 3, "1.00"),
        (-12.345, 3, "-12.3"),
        (999.4, 3, "999"),
        (999.6, 3, "1.00e3"),
        (99999.4, 5, "99999"),
        (0.0999996, 4, "0.1000"),
        (-0.00123456, 4, "-0.001235"),
        (0.000999, 3, "9.99e-4"),
        (1.5e-12, 3, "1.50e-12"),
        (-3.4028235e38, 5, "-3.4028e38"),
        (1e-45, 3, "1.40e-45"),
        (float("nan"), 3, "NaN"),
        (float("inf"), 3, "inf"),
        (float("-inf"), 3, "-inf"),
    ],
)
def test_examples(value: float, figures: int, text: str) -> None:
    assert number_text(value, figures) == text


@settings(max_examples=400)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(3, 5))
def test_the_text_is_the_rounded_value(value: float, figures: int) -> None:
    text = number_text(value, figures)
    assert set(text) <= set(GLYPHS)
    assert len(text) <= figures + 6
    if value == 0:
        assert text == "0"
        return
    exact, written = Decimal(value), Decimal(text)
    step = Decimal(1).scaleb(exact.adjusted() - figures + 1)
    assert abs(written - exact) <= step / 2 * (1 + Decimal("1e-4"))
    rounded = exact.quantize(step, ROUND_HALF_UP)
    distance = abs(abs(exact / step) % 1 - Decimal("0.5"))
    assert written == rounded or distance < Decimal("1e-3")


def test_styles_grow_with_the_cells() -> None:
    assert digit_style(40) is None
    styles = [style for size in np.arange(49, 300, 0.5) if (style := digit_style(float(size)))]
    assert [style.figures for style in styles] == sorted(style.figures for style in styles)
    assert {style.figures for style in styles} == {3, 4, 5}
    assert styles[0].ink < 0.5
    assert styles[-1].ink == 1
    assert {style.glyph_width for style in styles} <= set(SIZES)


@pytest.mark.parametrize("size", [49, 60, 79.9, 80, 109.9, 110, 200])
def test_the_longest_text_fits_its_cell(size: float) -> None:
    style = digit_style(size)
    assert style is not None
    assert (style.figures + 6) * style.glyph_width < int(size)


def test_glyph_sizes_are_stacked_without_overlap() -> None:
    tops = [glyph_top(size) for size in SIZES]
    assert tops[0] == 0
    assert all(b - a == glyph_size(size)[1] for a, b, size in zip(tops, tops[1:], SIZES, strict=False))
