"""Paints a drawing as PNG, in bands, so that a long one needs little memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np

from atlas_viewer.media.drawing import ADVANCE, Box, Drawing, Rgb, Words
from atlas_viewer.media.png import PngWriter
from atlas_viewer.media.text_width import columns_of

from .glyphs import letter, put

_BAND = 256  # rows painted at once
_FONT_ADVANCE = 0.5  # of the font's characters, relative to its height in pixels


def paint(drawing: Drawing, file: BinaryIO, text: Mapping[str, str] | None = None) -> None:
    """Write the drawing to an open file as PNG. text: see `PngWriter`; the drawing's title is always part of it."""
    boxes, words = _by_band(drawing)
    with PngWriter(file, drawing.width, drawing.height, {"Title": drawing.title} | dict(text or {})) as writer:
        for top in range(0, drawing.height, _BAND):
            rows = min(_BAND, drawing.height - top)
            image = np.empty((rows, drawing.width, 3), np.uint8)
            image[:] = _color(drawing.background)
            for box in boxes[top // _BAND]:
                _fill(image, box, top)
            for one in words[top // _BAND]:
                _write(image, one, top)
            writer.write(image)


def _by_band(drawing: Drawing) -> tuple[dict[int, list[Box]], dict[int, list[Words]]]:
    """Boxes and texts by the bands that they reach into."""
    boxes: dict[int, list[Box]] = defaultdict(list)
    words: dict[int, list[Words]] = defaultdict(list)
    for box in drawing.boxes:
        for band in range(int(box.y) // _BAND, int(box.y + box.height) // _BAND + 1):
            boxes[band].append(box)
    for one in drawing.words:
        for band in range(int(one.y - 1.5 * one.size) // _BAND, int(one.y + one.size) // _BAND + 1):
            words[band].append(one)
    return boxes, words


def _fill(image: np.ndarray, box: Box, top: int) -> None:
    rows = slice(max(round(box.y) - top, 0), max(round(box.y + box.height) - top, 0))
    image[rows, max(round(box.x), 0) : max(round(box.x + box.width), 0)] = _color(box.color)


def _write(image: np.ndarray, words: Words, top: int) -> None:
    """Blend a text into the band that begins `top` pixels from the top."""
    height = round(words.size * ADVANCE / _FONT_ADVANCE)
    left, right = int(words.left) - 2, int(words.left + words.width) + 4
    cover = np.zeros((2 * height, max(right - left, 1)), np.uint8)
    x, baseline = words.left - left, round(1.4 * height)
    for character in words.text:
        glyph, bearing, rise, _ = letter(character, height)
        at = round(x) + bearing
        put(cover, glyph, at, baseline - rise)
        if words.bold:
            put(cover, glyph, at + 1, baseline - rise)
        x += columns_of(character) * ADVANCE * words.size
    y = round(words.y) - baseline - top
    rows = slice(max(y, 0), max(min(y + len(cover), len(image)), 0))
    columns = slice(max(left, 0), max(min(right, image.shape[1]), 0))
    part = cover[rows.start - y : rows.stop - y, columns.start - left : columns.stop - left, None] / np.float32(255)
    if part.size:
        under = image[rows, columns].astype(np.float32)
        image[rows, columns] = np.rint(under + (_color(words.color) - under) * part).astype(np.uint8)


def _color(color: Rgb) -> np.ndarray:
    return np.rint(255 * np.clip(np.asarray(color, np.float32), 0, 1))
