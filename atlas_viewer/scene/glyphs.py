"""Glyph bitmaps for the map, rasterized by FreeType from a font that ships with one of the libraries."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import freetype
import imgui_bundle
import numpy as np

from compute.views.map_digits import GLYPHS, SIZES, glyph_size


def _fonts() -> Iterator[Path]:
    yield Path(imgui_bundle.__file__).parent / "assets" / "fonts" / "Inconsolata-Medium.ttf"
    # Other builds of the bundle may lack the font. pygfx contains one, too, which is found without importing pygfx.
    spec = importlib.util.find_spec("pygfx")
    for folder in (spec and spec.submodule_search_locations) or ():
        yield Path(folder) / "data_files" / "NotoSans-Regular.ttf"


@functools.cache
def _face() -> freetype.Face:
    return freetype.Face(str(next(path for path in _fonts() if path.is_file())))


@functools.lru_cache(4096)
def letter(character: str, height: int) -> tuple[np.ndarray, int, int, int]:
    """(coverage uint8 [rows, columns], left bearing, top above the baseline, advance), all in pixels."""
    face = _face()
    face.set_pixel_sizes(0, height)
    face.load_char(character, freetype.FT_LOAD_RENDER | freetype.FT_LOAD_TARGET_LIGHT)
    glyph = face.glyph
    bitmap = glyph.bitmap
    cover = np.array(bitmap.buffer, np.uint8).reshape(bitmap.rows, bitmap.pitch)[:, : bitmap.width]
    return cover, glyph.bitmap_left, glyph.bitmap_top, glyph.advance.x >> 6


def digit_glyphs() -> np.ndarray:
    """The glyphs for the map's numbers in all sizes, in the form that `MapPass` expects."""
    widest = len(GLYPHS) * SIZES[-1]
    rows = []
    for width in SIZES:
        _, high = glyph_size(width)
        row = np.zeros((high, widest), np.uint8)
        for number, character in enumerate(GLYPHS):
            cover, left, top, advance = letter(character, 2 * width)  # the font's letters are half as wide as tall
            box = np.zeros((high, width), np.uint8)
            y = round(0.78 * high) - top
            x = left + (width - advance) // 2
            # Thin strokes become as dark as wide ones: on medium luminance, only full black or white contrasts.
            full = cover.astype(np.float32) * (255 / max(cover.max(initial=0), 1))
            put(box, np.rint(full).astype(np.uint8), x, y)
            row[:, number * width : (number + 1) * width] = box
        rows.append(row)
    return np.concatenate(rows)


def put(target: np.ndarray, cover: np.ndarray, x: int, y: int) -> None:
    """Blend `cover` into `target` at (x, y), clipped. Both are uint8 [rows, columns]; the larger value wins."""
    high, wide = target.shape
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + cover.shape[0], high), min(x + cover.shape[1], wide)
    if bottom > top and right > left:
        part = target[top:bottom, left:right]
        np.maximum(part, cover[top - y : bottom - y, left - x : right - x], out=part)
