"""Checks of Map: pictures, pixel by pixel, against its NumPy model, and the numbers written into its cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compute.forward.engine import Engine
from compute.models.description import Description
from compute.views.map_digits import GLYPHS, SIZES, DigitStyle, digit_style, glyph_size, glyph_top, number_text
from compute.views.map_layout import map_layout
from compute.views.map_pass import MapPass
from compute.views.map_pyramid import LEVELS
from compute.views.map_view import MapView, axis, level_of
from compute.weights.checkpoint import WeightSource

from .check import COLOR, KERNEL, Check, Errors
from .gpu import UNTOUCHED, Gpu, run_pass
from .map_model import Plane, finite_mean
from .models import shape_of, some_tokens

WIDTH, HEIGHT = 56, 40  # pixels of a picture
CONTEXT = 9  # rows in the context of Map
_BORDERED = 5  # cell size in pixels above which cells have borders
_COLUMNS, _ROWS = 6, 5  # cells in a picture with numbers


def _written_tensors(description: Description) -> Iterator[tuple[str, int]]:
    """A tensor of each storage, and the size of a cell in pixels at which its numbers are compared."""
    attention, last = description.attention[0], description.sections[-2]
    yield attention.query.source, 60
    yield max(last.weights, key=lambda weight: weight.count).name, 95
    yield attention.pattern, 120
    yield description.head.output, 60
    yield from ((name, 95) for name in sorted(description.position_tables))


def views(passes: MapPass, count: int) -> Iterator[MapView]:
    """The whole map, and `count` random parts at random zooms down to single cells."""
    layout = passes.layout
    whole = max(layout.width / WIDTH, layout.height / HEIGHT)
    rng = np.random.default_rng(3)
    yield MapView(layout.width / 2 - WIDTH * whole / 2, layout.height / 2 - HEIGHT * whole / 2, whole)
    placements = list(layout.placements.values())
    for scale in np.exp(rng.uniform(np.log(1 / 20), np.log(whole), count)):
        placement = placements[rng.integers(len(placements))]
        x, y = placement.x + rng.uniform(0, placement.width), placement.y + rng.uniform(0, placement.height)
        yield MapView(x - rng.uniform() * WIDTH * scale, y - rng.uniform() * HEIGHT * scale, float(scale))


def pictures(passes: MapPass, plane: Plane, view: MapView) -> tuple[np.ndarray, np.ndarray]:
    """The GPU's and the model's pictures, float [height, width, 3] from 0 to 255.

    Borders of cells, and pixels where the model allows several values, are the GPU's in both. Where the model has a
    non-finite value, both are 0 if the GPU's pixel is red, as it should be, and differ otherwise.
    """
    passes.draw(view, WIDTH, HEIGHT)
    level = level_of(view.scale, passes.layout.base, LEVELS)
    block = 1 if level is None else passes.layout.base << level
    found, wanted = passes.read().astype(float)[..., :3], plane.picture(view, WIDTH, HEIGHT, block)
    free = np.isinf(wanted[..., 0])
    if block == 1:
        free |= plane.borders(view, WIDTH, HEIGHT, _BORDERED)
    wanted[free] = found[free]
    bad = np.isnan(wanted[..., 0])
    wanted[bad] = 0
    found[bad] = np.where((found[bad, :1] > 200) & (found[bad, 1:2] < 90), 0.0, 255.0)
    return found, wanted


def glyph_sheet() -> np.ndarray:
    """Pictures of glyphs for `MapPass`: different noise for each glyph."""
    widest = len(GLYPHS) * SIZES[-1]
    rows = [np.zeros((glyph_size(width)[1], widest), np.uint8) for width in SIZES]
    for width, row in zip(SIZES, rows, strict=True):
        noise = np.random.default_rng(width).integers(2, size=(len(row), len(GLYPHS) * width))
        row[:, : noise.shape[1]] = 255 * noise
    return np.concatenate(rows)


def matched(image: np.ndarray, style: DigitStyle, sheet: np.ndarray) -> str:
    """The text in a cell's picture [rows, columns, 3]: at each position, the best matching glyph of `sheet`."""
    wide, high = glyph_size(style.glyph_width)
    top = glyph_top(style.glyph_width)
    glyphs = (sheet[top : top + high, : len(GLYPHS) * wide] / 255).reshape(high, len(GLYPHS), wide).swapaxes(0, 1)
    grey = image[..., :3].astype(float).sum(-1)
    ink = np.abs(grey - np.median(np.concatenate([grey[1], grey[-1]])))  # above and below the text
    ink /= max(ink.max(), 1)
    top = (image.shape[0] - high) // 2
    rows = ink[top : top + high]
    used = np.flatnonzero(rows.sum(0) > 0.3)
    best: tuple[float, str] = (np.inf, "")
    for length in range(1, 12):
        left = (image.shape[1] - length * wide) // 2
        if not used.size or left < 0 or used[0] < left or used[-1] >= left + length * wide:
            continue
        text, cost = "", 0.0
        for position in range(length):
            part = rows[:, left + position * wide : left + (position + 1) * wide]
            costs = ((part - glyphs) ** 2).sum((1, 2))
            text, cost = text + GLYPHS[int(costs.argmin())], cost + float(costs.min())
        best = min(best, (cost, text))
    return best[1]


def written(passes: MapPass, plane: Plane, name: str, cell: int, sheet: np.ndarray) -> Iterator[tuple[str, str]]:
    """(text in the picture, expected text) for cells of a tensor whose shorter side is `cell` pixels."""
    placement = passes.layout.placements[name]
    wide, high = placement.cell_width, placement.cell_height
    unit = cell / min(wide, high)  # in pixels
    view = MapView(placement.x - 0.25 * wide, placement.y - 0.25 * high, 1 / unit)
    size = round(_COLUMNS * wide * unit), round(_ROWS * high * unit)
    passes.draw(view, *size)
    image = passes.read()
    style = digit_style(cell)
    assert style is not None
    across = axis(view.x / wide, view.scale / wide, size[0], passes.layout.width // wide, 1)
    down = axis(view.y / high, view.scale / high, size[1], passes.layout.height // high, 1)
    corner = placement.in_cells()
    for y in range(corner.y, corner.y + _ROWS - 1):
        for x in range(corner.x, corner.x + _COLUMNS - 1):
            if plane.keys[y * high, x * wide] < 2:
                continue
            px, py = np.flatnonzero(across[:, 0] == x), np.flatnonzero(down[:, 0] == y)
            value = float(plane.written[y * high, x * wide])
            inner = image[py[0] : py[-1] + 1, px[0] : px[-1] + 1].copy()
            # The border covers the first row and column and is not text.
            inner[0], inner[:, 0] = inner[1, 1], inner[1, 1]
            yield matched(inner, style, sheet), number_text(value, style.figures)


def center(gpu: Gpu, count: int) -> Check:
    """The mean of `count` logits, and the largest distance from it.

    They are far from 0, partly not finite, without a finite one, or huge.
    """
    rng, errors = np.random.default_rng(count), Errors()
    far = rng.normal(-90, 7, count).astype(np.float32)
    mixed = far.copy()
    mixed[rng.random(count) < 0.3] = np.nan
    mixed[rng.random(count) < 0.1] = np.inf
    mixed[rng.random(count) < 0.1] = -np.inf
    huge = (rng.uniform(2.5, 3.4, count) * 1e38).astype(np.float32)
    for what, values in (("far", far), ("mixed", mixed), ("NaN", np.full(count, np.nan, np.float32)), ("huge", huge)):
        padding = np.full(5, 1e30, np.float32)  # of the vocabulary, which does not count
        logits, found, peaks = gpu.buffer(np.concatenate([values, padding])), gpu.empty(4), gpu.empty(4)
        kernel = gpu.kernels.get("map/center", count=count, slot=2)
        gpu.run(kernel.dispatch((1, 1, 1), {"values": logits, "center": found, "peaks": peaks}))
        finite, mean = values[np.isfinite(values)].astype(np.float64), finite_mean(values)
        distance = max(1e-12, float(np.abs(finite - mean).max(initial=0)))
        scale = max(1.0, float(np.abs(finite).max(initial=0)))
        errors.close(gpu.read(found, 2) / scale, np.array([mean, distance]) / scale, what)
        errors.same(gpu.read(peaks, 4)[[0, 1, 3]], np.full(3, UNTOUCHED, np.float32), f"{what}: other peaks")
        errors.same(gpu.read(peaks, 4)[2], gpu.read(found, 2)[1], f"{what}: peak")
    return errors.check("mean of the logits", f"{count} values", KERNEL)


def _move_logits(engine: Engine) -> None:
    """Move the logits away from 0, where those of a real model are; softmax does not change."""
    logits = engine.read_logits() - np.float32(40)
    engine.device.queue.write_buffer(engine.logits_buffer, 0, np.ascontiguousarray(logits))


def _of_logits(passes: MapPass) -> Iterator[MapView]:
    """The logits, from blocks and from cells."""
    placement = passes.layout.placements[passes.engine.registry.description.head.output]
    for scale in (2.0 * passes.layout.base, placement.cell_width / 3):
        yield MapView(placement.x, placement.y, scale)


def maps(engine: Engine, source: WeightSource, base: int, count: int = 6) -> Iterator[Check]:
    """Check `count` random parts of Map before and after new rows, and the numbers in cells.

    base: size of the smallest blocks in cells; source: the weights, rounded like the engine's.
    """
    sheet, errors, numbers = glyph_sheet(), Errors(), Errors()
    tokens = some_tokens(engine.config, CONTEXT)
    run_pass(engine, tokens[:6])
    passes = MapPass.load(engine, sheet, map_layout(engine.registry, CONTEXT, base=base))
    for total, valid, part in ((6, 0, slice(0, None, 2)), (7, 6, slice(1, None, 2))):
        run_pass(engine, tokens[:total], valid_rows=valid)
        _move_logits(engine)
        passes.update()
        plane = Plane(engine, source, passes.layout)
        for view in [*list(views(passes, count))[part], *_of_logits(passes)]:
            errors.colors(*pictures(passes, plane, view), f"{total} rows, {view.scale:.3g} cells a pixel")
    for name, cell in _written_tensors(engine.registry.description):
        found, wanted = zip(*written(passes, plane, name, cell, sheet), strict=True)
        numbers.same(found, wanted, f"{name} in cells of {cell} pixels")
    shapes = f"{shape_of(engine.config)}, {engine.dtype} in {engine.layout}s, blocks of {base}"
    yield errors.check("map", shapes, COLOR, numbers=False)
    yield numbers.check("digits of the map", shapes, 0.0)
