"""Values as text on Map: a Python version of wgsl/map/common/digits.wgsl, and the size of the digits at each zoom."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

GLYPHS = "0123456789.-eNaNinf"  # in the order of their pictures
SIZES = (5, 6, 7, 8, 9)  # glyph widths in pixels; all glyphs of a size have the same advance
_LOWEST_POWER, _POWERS = -40, 96
_FADE = 10  # pixels of cell width over which digits fade in
# (smallest cell in pixels, significant digits). The longest text is 6 characters longer.
_STEPS = ((110, 5), (80, 4), (49, 3))
_LONGER = 6


def powers_of_ten() -> np.ndarray:
    """10^(i - 40) as (its top 32 bits, exponent of two + 1024, 0, 0), uint32 [96, 4]."""
    table = np.zeros((_POWERS, 4), np.uint32)
    for i in range(_POWERS):
        factor, two = _power(i + _LOWEST_POWER)
        table[i, :2] = factor, two + 1024
    return table


def _power(n: int) -> tuple[int, int]:
    """(f, x) with 10^n = f 2^x and f of 32 bits, rounded down."""
    if n >= 0:
        shift = (10**n).bit_length() - 32
        return (10**n >> shift if shift >= 0 else 10**n << -shift), shift
    shift = (10**-n).bit_length() + 31
    factor = (1 << shift) // 10**-n
    extra = factor.bit_length() - 32
    return factor >> extra, extra - shift


@dataclass(frozen=True)
class DigitStyle:
    """How values are written in cells of one size: significant digits, glyph width in pixels, opacity 0 to 1."""

    figures: int
    glyph_width: int
    ink: float


def digit_style(cell: float) -> DigitStyle | None:
    """The style for cells of `cell` pixels; None when they are too small for digits."""
    for least, figures in _STEPS:
        if cell >= least:
            wide = int((cell - 4) // (figures + _LONGER))
            wide = min(max(wide, SIZES[0]), SIZES[-1])
            return DigitStyle(figures, wide, min((cell - _STEPS[-1][0] + 2) / _FADE, 1.0))
    return None


def number_text(value: float, figures: int) -> str:
    """The float32 `value` with `figures` significant digits (3 to 5), as the GPU writes it.

    Rounded half up; a value within a relative 1e-8 of the midpoint may go either way.
    """
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    magnitude, negative = bits & 0x7FFFFFFF, bits > 0x80000000
    sign = "-" if negative else ""
    if magnitude > 0x7F800000:
        return "NaN"
    if magnitude == 0x7F800000:
        return sign + "inf"
    if magnitude == 0:
        return "0"
    mantissa, exponent = magnitude & 0x7FFFFF, (magnitude >> 23) - 150
    if magnitude >= 0x800000:
        mantissa |= 0x800000
    else:
        shift = 24 - mantissa.bit_length()
        mantissa, exponent = mantissa << shift, -149 - shift
    ten = (exponent + 23) * 78913 >> 18
    digits = _scaled(mantissa, exponent, figures - 1 - ten)
    while digits >= 10**figures:
        ten += 1
        digits = _scaled(mantissa, exponent, figures - 1 - ten)
    text = str(digits)
    if 0 <= ten < figures:
        return sign + (text if ten + 1 == figures else f"{text[: ten + 1]}.{text[ten + 1 :]}")
    if -3 <= ten < 0:
        return f"{sign}0.{'0' * (-ten - 1)}{text}"
    return f"{sign}{text[0]}.{text[1:]}e{ten}"


def _scaled(mantissa: int, exponent: int, power: int) -> int:
    factor, two = _power(power)
    high = mantissa * factor >> 32
    shift = -(exponent + two) - 32
    return high + (1 << shift - 1) >> shift


def glyph_size(width: int) -> tuple[int, int]:
    """(width, height) in pixels of glyphs of this width."""
    return width, math.ceil(1.8 * width)


def glyph_top(width: int) -> int:
    """The first row of glyphs of this width in the picture of all SIZES, where small ones are on top."""
    return sum(glyph_size(size)[1] for size in SIZES if size < width)
